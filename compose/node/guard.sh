#!/bin/bash
# Keep containers away from what is the node's. Run by the unit swarmkeeper-guard, which the document node-join writes;
# Docker leaves DOCKER-USER alone, but a reboot or somebody else may not. Each argument names what is guarded:
#   nfs          the server of shared volumes: the node mounts for each container what it may see, and who could speak
#                NFS with the server could see what is every other tenant's
#   engine=CIDR  engines in that range, the node's own too, and the instance's metadata: the API, the Swarm's ports, and VXLAN,
#                by which whoever may send datagrams to a node could put frames on another tenant's network
#   router=CIDR:PORT  routers in that range by their published port, behind which a request no longer shows that it is
#                a container's
#   locator=CIDR:PORT  who tells the node which node has which container
# With `once` it ends at once.
set -euo pipefail

once=
rules=()

# apart CIDR PROTOCOL PORT TARGET...: for what is forwarded to other machines, and for what comes to this one from the
# engine's own bridges, which is not forwarded.
apart() {
    rules+=(
        "DOCKER-USER --destination $1 --protocol $2 --destination-port $3 --jump ${*:4}"
        "INPUT --in-interface docker+ --protocol $2 --destination-port $3 --jump ${*:4}"
    )
}

for word; do
    case $word in
        once) once=yes ;;
        nfs) rules+=("DOCKER-USER --protocol tcp --destination-port 2049 --jump REJECT --reject-with tcp-reset") ;;
        engine=*)
            rules+=("DOCKER-USER --destination 169.254.169.254/32 --jump REJECT")
            for port in 2376 2377 7946; do apart "${word#*=}" tcp "$port" REJECT --reject-with tcp-reset; done
            for port in 4789 7946; do apart "${word#*=}" udp "$port" DROP; done
            ;;
        router=*:* | locator=*:*)
            where=${word#*=}
            apart "${where%:*}" tcp "${where##*:}" REJECT --reject-with tcp-reset
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
