#!/bin/bash
# Keep containers away from the server of shared volumes: the node mounts for each what it may see, and who could speak
# NFS with the server could see what is every other tenant's. Run by the unit swarmkeeper-guard, which the document
# node-join writes; Docker leaves DOCKER-USER alone, but a reboot or somebody else may not. With `once` it ends at once.
set -euo pipefail

rule=(DOCKER-USER --protocol tcp --destination-port 2049 --jump REJECT --reject-with tcp-reset)

guard() { iptables --wait --check "${rule[@]}" 2>/dev/null || iptables --wait --insert "${rule[@]}"; }

if [ "${1:-}" = once ]; then
    guard
    exit
fi
while sleep 5; do
    guard || echo "containers may reach the server of shared volumes; once more" >&2
done
