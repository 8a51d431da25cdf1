#!/bin/bash
# Keep containers away from what is the node's. Run by the unit swarmkeeper-guard, which the document node-join writes;
# Docker leaves DOCKER-USER alone, but a reboot or somebody else may not. Each argument names what is guarded:
#   nfs          the server of shared volumes: the node mounts for each container what it may see, and who could speak
#                NFS with the server could see what is every other tenant's
#   engine=CIDR  engines' APIs in that range, the node's own too, and the instance's metadata
# With `once` it ends at once.
set -euo pipefail

once=
rules=()
for word; do
    case $word in
        once) once=yes ;;
        nfs) rules+=("DOCKER-USER --protocol tcp --destination-port 2049 --jump REJECT --reject-with tcp-reset") ;;
        engine=*)
            rules+=(
                "DOCKER-USER --destination ${word#*=} --protocol tcp --destination-port 2376 --jump REJECT --reject-with tcp-reset"
                "DOCKER-USER --destination 169.254.169.254/32 --jump REJECT"
                # The engine's own bridges: what comes from there to the node itself is not forwarded.
                "INPUT --in-interface docker+ --protocol tcp --destination-port 2376 --jump REJECT --reject-with tcp-reset"
            )
            ;;
        *) echo "nothing is called $word" >&2; exit 2 ;;
    esac
done

guard() {
    local rule
    for rule in "${rules[@]}"; do
        # shellcheck disable=SC2086  # a rule is words
        iptables --wait --check $rule 2>/dev/null || { iptables --wait --insert $rule; missed=yes; }
    done
}

guard
[ -z "$once" ] || exit 0
while sleep 5; do
    missed=
    guard
    [ -z "$missed" ] || echo "containers could reach what is guarded; once more they can't" >&2
done
