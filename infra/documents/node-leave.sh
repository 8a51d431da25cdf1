# Take this node out of the Swarm. Safe to repeat, and a success where it was never in.
if ! command -v docker >/dev/null; then
    echo "no engine: never a member" >&2
    exit 0
fi
exec 9>/run/swarmkeeper.lock && flock 9    # a command may be sent twice
for project in node join; do
    # What can't be taken down ends with its instance; it must not keep the node in the Swarm.
    docker compose --project-name "$project" down --timeout 10 >&2 || echo "$project could not be taken down" >&2
done

# The braces are split because Systems Manager takes a pair of them for a parameter of its own.
swarm_info() { docker info --format "{""{.Swarm.$1}""}"; }

leave() {
    local force=
    # A manager is let go in no other way; the registrar has looked after the quorum.
    [ "$(swarm_info ControlAvailable)" != true ] || force=--force
    docker swarm leave $force >&2
}

# While the engine still waits for the overlay, as after a restart, it answers a leave with a time-out; the next try,
# or the engine itself in the background, brings it to its end.
tries=3
until [ "$(swarm_info LocalNodeState)" = inactive ] || leave; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "still a member" >&2; exit 1; }
    sleep 1
done
rm -f /var/lib/swarmkeeper/member /var/lib/swarmkeeper/slot/kept
