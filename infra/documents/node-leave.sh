# Take this node out of the Swarm. Safe to repeat, and a success where it was never in.
if ! command -v docker >/dev/null; then
    echo "no engine: never a member" >&2
    exit 0
fi
exec 9>/run/swarmkeeper.lock && flock 9    # a command may be sent twice
docker compose --project-name node down --timeout 10 >&2
docker compose --project-name join down --timeout 5 >&2
# The braces are split because Systems Manager takes a pair of them for a parameter of its own.
if [ "$(docker info --format '{'{.Swarm.LocalNodeState}'}')" = inactive ]; then
    echo "not a member" >&2
    exit 0
fi
if [ "$(docker info --format '{'{.Swarm.ControlAvailable}'}')" = true ]; then
    docker swarm leave --force >&2    # a manager is let go in no other way; the registrar has looked after the quorum
else
    docker swarm leave >&2
fi
