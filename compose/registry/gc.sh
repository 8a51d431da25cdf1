#!/bin/sh
# Removes what no image needs any more. The registry takes no pushes meanwhile, since what is being uploaded looks like
# garbage; pulls go on, but for the second or two of a restart before and after. That restart also empties the cache in
# which removed layers would still seem to be there.
#   gc.sh              layers of images that were deleted
#   gc.sh --untagged   also images that no tag names: not while requests or running containers name them by digest
set -eu
cd "$(dirname "$0")"
options=
case "${1:-}" in
    '') ;;
    --untagged) options=--delete-untagged ;;
    *) echo "usage: gc.sh [--untagged]" >&2; exit 2 ;;
esac
trap 'REGISTRY_READONLY=false ./up.sh --quiet-pull >&2' EXIT
REGISTRY_READONLY=true ./up.sh --quiet-pull >&2
used() { docker compose exec -T registry du -sk /var/lib/registry | cut -f1; }    # nothing where S3 has the images
before=$(used)
# shellcheck disable=SC2086  # no option, or one
said=$(docker compose exec -T registry registry garbage-collect $options /etc/swarmkeeper/config.yml)
# A line stands there for each thing that is kept or goes; these say how many.
printf '%s\n' "$said" | grep -E 'blobs marked|eligible for deletion$' || :
echo "freed on the disk: $((before - $(used))) KiB"
