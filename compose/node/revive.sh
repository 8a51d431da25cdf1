#!/bin/bash
# Have this node's router come up again where it is on tenants' networks, and its finder. Run by the unit swarmkeeper-revive, which the
# document node-join writes. An engine attaches a container that it starts to all its networks anew, and a worker that has
# let go of several overlay networks at once fails at one of them as a rule: it waits 20 s for it, or finds the network
# gone, and no restart policy tries a start that failed again. So it is started on the fleet's network alone and put
# on the others one by one, which does not fail. Until then it answers for the containers that it reaches.
# What it is owed is in a file until it is put back, which outlives the unit. With `once` it ends after one look, with 1
# where networks are still owed.
set -euo pipefail

ROUTER=node-router-1    # no container of a tenant can be called so
FINDER=node-finder-1
PAUSE_S=${PAUSE_S:-5}
LOCK=${LOCK:-/run/swarmkeeper.lock}
OWED=${OWED:-/run/swarmkeeper-revive-owed}
LOOKS=12                # so often a network is tried
owed=()
looks=0

state() { docker inspect --format '{{.State.Status}}' "$1" 2>/dev/null || echo none; }
networks() { docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$ROUTER"; }
# Without those that an attach which failed has left behind.
attached() {
    docker inspect --format '{{range $name, $it := .NetworkSettings.Networks}}{{if $it.EndpointID}}{{println $name}}{{end}}{{end}}' "$ROUTER"
}

recall() { [ ! -s "$OWED" ] || mapfile -t owed <"$OWED"; }

keep() {
    if [ "${#owed[@]}" = 0 ]; then
        rm -f "$OWED"
    else
        printf '%s\n' "${owed[@]}" >"$OWED.new"
        mv "$OWED.new" "$OWED"
    fi
}

# Whether $1 is one of the others; no name has a blank.
is_among() { [[ " ${*:2} " == *" $1 "* ]]; }

bring_back() {
    local network remembered
    mapfile -t remembered < <(networks | grep '^tenant-')
    for network in "${remembered[@]}"; do
        is_among "$network" "${owed[@]}" || owed+=("$network")
    done
    keep    # before the engine forgets them
    for network in "${remembered[@]}"; do
        docker network disconnect --force "$network" "$ROUTER" >/dev/null
    done
    echo "the router has ended; it is started again, and owed ${#owed[@]} networks" >&2
    looks=0
    docker start "$ROUTER" >/dev/null
}

# Owed no more is one that another call has put it on, and one that the Swarm's managers don't know any more.
put_back() {
    local network said on still=()
    mapfile -t on < <(attached)
    for network in "${owed[@]}"; do
        ! is_among "$network" "${on[@]}" || continue
        said=$(docker network connect "$network" "$ROUTER" 2>&1) && continue
        case $said in
            *"already exists in network"* | *"already attached to network"*) ;;
            *"code = NotFound"*) echo "gone: $network" >&2 ;;
            *) still+=("$network") ;;
        esac
    done
    owed=("${still[@]}")
    looks=$((looks + 1))
    if [ "${#owed[@]}" -gt 0 ] && [ "$looks" -ge "$LOOKS" ]; then
        echo "given up: ${owed[*]}" >&2
        owed=()
    fi
    keep
}

# Not while the node joins or leaves: then the router is stopped and made by those.
look() {
    local started=0
    exec 9>"$LOCK"
    if ! flock --nonblock 9; then
        exec 9>&-
        return 0
    fi
    case $(state "$ROUTER") in exited | created) bring_back || started=$? ;; esac
    case $(state "$FINDER") in exited | created) docker start "$FINDER" >/dev/null || echo "the finder does not start" >&2 ;; esac
    exec 9>&-    # or they would wait for a router that can't start
    [ "$started" != 0 ] || [ "${#owed[@]}" = 0 ] || put_back
}

recall
look
if [ "${1:-}" = once ]; then
    [ "${#owed[@]}" = 0 ]
    exit
fi
while sleep "$PAUSE_S"; do look; done
