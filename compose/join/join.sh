#!/bin/sh
# Make the engine behind the socket a member of the Swarm, and wait until it is one.
# Safe to repeat: an active member is left as it is. The exit status says whether the node is active.
set -eu

: "${MODE:?}" "${ROLE:?}" "${ADVERTISE_ADDRESS:?}" "${OVERLAY_POOL:?}" "${OVERLAY_PREFIX:?}"
TOKEN_FILE=${TOKEN_FILE:-/run/secrets/join_token}
WAIT_S=${WAIT_S:-60}

# The braces are split because Systems Manager takes a pair of them for a parameter of its own.
state() { docker info --format '{'{.Swarm.LocalNodeState}'}'; }

say() { echo "join: $*" >&2; }

init() {
    # What init prints holds the worker's join token, and this output ends up in Run Command's history.
    docker swarm init --advertise-addr "$ADVERTISE_ADDRESS" --listen-addr 0.0.0.0:2377 \
        --default-addr-pool "$OVERLAY_POOL" --default-addr-pool-mask-length "$OVERLAY_PREFIX" >/dev/null
}

# The engine has the state of a manager whose quorum is lost. It says the workers' join token, too.
recover() {
    docker swarm init --force-new-cluster --advertise-addr "$ADVERTISE_ADDRESS" --listen-addr 0.0.0.0:2377 >/dev/null
}

# `docker swarm join` takes its token only as an argument, and arguments can be read by whoever lists processes.
# So the same call is made to the Engine API, through `docker system dial-stdio`: the token goes from the secret's
# file through a shell variable that isn't exported and printf, which is part of the shell, into a pipe.
join() {
    token=$(cat "$TOKEN_FILE")
    [ -n "$token" ] || { say "the join token is empty"; return 1; }
    remotes=$(printf '%s' "$MANAGERS" | sed 's/,/","/g')
    body=$(printf '{"ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"%s","RemoteAddrs":["%s"],"JoinToken":"%s"}' \
        "$ADVERTISE_ADDRESS" "$remotes" "$token")
    answer=$(ask_to_join "$body")
    case $answer in
        "HTTP/1."?" 200"*) ;;
        # The engine goes on by itself after its own time-out of 20 s; whether it gets there is seen below.
        *"will continue in the background"*) say "the engine is still trying" ;;
        *) say "refused: $(printf '%s' "$answer" | tail -n 1)"; return 1 ;;
    esac
}

# The request pipe stays open until the engine has answered: at its end the engine would take the caller for gone.
ask_to_join() {
    mkfifo /tmp/request
    docker system dial-stdio </tmp/request >/tmp/answer &
    exec 3>/tmp/request
    printf 'POST /swarm/join HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n' >&3
    printf 'Connection: close\r\nContent-Length: %s\r\n\r\n%s' "${#1}" "$1" >&3
    wait $! || say "the engine closed the connection"
    exec 3>&-
    cat /tmp/answer
    rm -f /tmp/request /tmp/answer
}

enter() {
    case $MODE in
        init) init ;;
        join) join ;;
        recover) recover ;;
        *) say "MODE is $MODE, not init, join or recover"; return 2 ;;
    esac
}

case $MODE-$(state) in
    recover-inactive) say "there is no state to recover from"; exit 1 ;;
    recover-*) ;;
    *-active) say "already a member"; exit 0 ;;
    *-inactive) ;;
    # What an attempt that failed has left; the engine refuses a new one until it is cleared.
    *) say "clearing a failed attempt ($(state))"; docker swarm leave --force >/dev/null 2>&1 || : ;;
esac

say "$MODE as $ROLE"
enter

waited=0
until [ "$(state)" = active ]; do
    [ "$waited" -lt "$WAIT_S" ] || { say "not active after $WAIT_S s: $(docker info --format '{'{.Swarm.Error}'}')"; exit 1; }
    sleep 1
    waited=$((waited + 1))
done
say "active"
