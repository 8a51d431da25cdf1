#!/bin/bash
# Have this node's router come up again where it is on tenants' networks. Run by the unit swarmkeeper-revive, which the
# document node-join writes. An engine attaches a container that it starts to all its networks anew, and a worker that has
# let go of several overlay networks at once fails at one of them as a rule: it waits 20 s for it, or finds the network
# gone, and no restart policy tries a start that failed again. So it is started on the fleet's network alone and put
# on the others one by one, which does not fail. Until then it answers for the containers that it reaches.
# With `once` it ends after one look, with 1 where networks are still owed.
set -euo pipefail

ROUTER=node-router-1    # no container of a tenant can be called so
PAUSE_S=${PAUSE_S:-5}
LOCK=${LOCK:-/run/swarmkeeper.lock}
LOOKS=12                # so often a network is tried; one that was removed meanwhile is wanted by nobody
owed=()
looks=0

state() { docker inspect --format '{{.State.Status}}' "$ROUTER" 2>/dev/null || echo none; }
networks() { docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$ROUTER"; }

bring_back() {
    local network
    for network in $(networks | grep '^tenant-'); do
        docker network disconnect --force "$network" "$ROUTER" >/dev/null
        owed+=("$network")
    done
    echo "the router has ended; it is started again, and owed ${#owed[@]} networks" >&2
    looks=0
    docker start "$ROUTER" >/dev/null
}

put_back() {
    local network said still=()
    for network in "${owed[@]}"; do
        said=$(docker network connect "$network" "$ROUTER" 2>&1) && continue
        [[ $said == *"already exists"* ]] || still+=("$network")    # else another call was first
    done
    owed=("${still[@]}")
    looks=$((looks + 1))
    if [ "${#owed[@]}" -gt 0 ] && [ "$looks" -ge "$LOOKS" ]; then
        echo "given up: ${owed[*]}" >&2
        owed=()
    fi
}

# Not while the node joins or leaves: then the router is stopped and made by those.
look() {
    local started=0
    exec 9>"$LOCK"
    if ! flock --nonblock 9; then
        exec 9>&-
        return 0
    fi
    case $(state) in exited | created) bring_back || started=$? ;; esac
    exec 9>&-    # or they would wait for a router that can't start
    [ "$started" != 0 ] || [ "${#owed[@]}" = 0 ] || put_back
}

look
if [ "${1:-}" = once ]; then
    [ "${#owed[@]}" = 0 ]
    exit
fi
while sleep "$PAUSE_S"; do look; done
