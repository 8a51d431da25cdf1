#!/bin/bash
# Tell the fleet that a container of its own has died or was removed on this node. Run by the unit swarmkeeper-agent,
# which the document node-join writes. It says no more than that something ended here: what did, the fleet asks the
# engine itself, so a node can neither say too little nor too much.
set -euo pipefail

: "${FLEET:?}" "${NODE:?}"
QUIET_S=${QUIET_S:-1}      # one event for all that ends until so long nothing more does
LONGEST_S=${LONGEST_S:-5}  # and no longer than this after the first
AGAIN_S=${AGAIN_S:-60}     # so long after it began to listen it tells so once more: the first event may be lost

tell() {
    aws events put-events --output text --query FailedEntryCount --entries \
        "[{\"Source\":\"swarmkeeper.$FLEET.node\",\"DetailType\":\"Container Ended\",\"Detail\":\"{\\\"fleet\\\":\\\"$FLEET\\\",\\\"node\\\":\\\"$NODE\\\"}\"}]"
}

tell_at_last() {
    until [ "$(tell)" = 0 ]; do
        echo "the event was not taken; once more" >&2
        sleep 5
    done
}

# One line each. It ends with the engine, and the unit starts it again.
ends() {
    echo "listening"    # told like an end: what ended while nobody listened is looked for
    { sleep "$AGAIN_S" >/dev/null && echo "listening for $AGAIN_S s"; } &
    docker events --filter type=container --filter event=die --filter event=destroy \
        --filter "label=swarmkeeper.fleet=$FLEET" --format '{{.Action}} {{.Actor.Attributes.name}}' || :
    kill $! 2>/dev/null || :
}

ends |
    while read -r first; do
        echo "$first"
        until=$((SECONDS + LONGEST_S))
        while [ "$SECONDS" -lt "$until" ] && read -r -t "$QUIET_S" more; do echo "$more"; done
        tell_at_last
    done
exit 1    # the engine has ended
