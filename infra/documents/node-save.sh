# Save what a container of this node has written, for its move: its own layer, on its image, goes to the fleet's registry.
# Prints the digest. The container must stand still: a command that comes late or twice must not save, or hold up, what
# lives again.
: "${container:?}" "${image:?}"
case $image in
    "${REGISTRY:?}/snapshots/$FLEET"/*) ;;
    *) echo "$image is no repository of snapshots of this fleet" >&2; exit 1 ;;
esac
exec 9>"/run/swarmkeeper-save.$container" && flock --wait 600 9    # a command may be sent twice
# The agent kills what takes 1200 s, without a chance to clean up: what may take long ends before.
bounded() { timeout --kill-after=10 "$((1140 - SECONDS))" "$@"; }
clean_up() {
    docker image rm "$image" >/dev/null 2>&1 || :    # never made, or gone
    rm -rf "${DOCKER_CONFIG:-}"
}
trap clean_up EXIT
# The braces are split because Systems Manager takes a pair of them for a parameter of its own.
stands=$(docker inspect --type container --format "{""{.State.Running}""} {""{index .Config.Labels \"swarmkeeper.fleet\"}""}" "$container")
[ "$stands" = "false $FLEET" ] || { echo "it is not saved: running, fleet: $stands" >&2; exit 1; }
# What a save left whose machine went down: of its own images a node has the pulled ones only, which have no tag.
for tag in $(docker image ls --format "{""{.Tag}""}" "${image%:*}"); do
    [ "$tag" = "<none>" ] || docker image rm "${image%:*}:$tag" >/dev/null || :
done
log_in_for "$image"
bounded docker commit --pause=false "$container" "$image" >/dev/null
bounded docker push --quiet "$image" >/dev/null
digests=$(docker image inspect --format "{""{join .RepoDigests \" \"}""}" "$image")
for each in $digests; do
    [ "${each%@*}" != "${image%:*}" ] || digest=${each#*@}
done
echo "${digest:?it was pushed, and the engine tells no digest}"
