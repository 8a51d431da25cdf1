#!/bin/sh
# Holds the network namespace of the VPC: a bridge with the resolver's and the metadata service's addresses.
# The far end of the router's cable, swk0, is laid into the namespace of the program that started us ($PPID).
# The bridge stands apart from the host's network, so that no firewall rule or sysctl of the host sees what nodes
# say to each other, and everything vanishes when this process ends. Its MAC is given, a local one: else it were the lowest of
# its cables', and as one comes or goes nodes would ask an address that is nobody's any more, for some ten seconds.
set -eu
umask 022
read -r stat </proc/self/stat
# Splitting is meant: the fields of proc(5), where 1 is the pid and 22 the start time.
# shellcheck disable=SC2086
set -- $stat
echo "$1 ${22}" >"$SWK_PID_FILE"
echo 0 >"$SWK_CGROUP/cgroup.procs"
ip -batch - <<BATCH
link set lo up
link add swkbr address 02:73:77:6b:62:72 type bridge mcast_snooping 0
address add $SWK_RESOLVER dev swkbr
address add 169.254.169.254/32 dev swkbr
link set swkbr up
link add swkrouter type veth peer name swk0 netns $PPID
link set swkrouter master swkbr up
BATCH
echo ready
exec sleep infinity >/dev/null 2>&1 </dev/null
