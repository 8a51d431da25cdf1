#!/bin/bash
# Print a configuration, the template beside this script with the fleet's settings filled in: the router's, or with
# `finder` the finder's. Where tenants have networks of their own REFUSED_FROM is the range of these, and there is a
# finder.
set -euo pipefail
cd "$(dirname "$0")"

if [ "${1:-router}" = finder ]; then
    : "${LOCATOR:?}" "${RESOLVER:?}"
    sed -e "s|@LOCATOR@|$LOCATOR|; s|@RESOLVER@|$RESOLVER|" finder.conf.template
    exit
fi

: "${DOMAIN:?}" "${VPC_CIDR:?}" "${BODY_LIMIT:?}" "${ACCESS_LOG:?}"
# Lines are kept for a second, or until 4 KB are full: one write for some ten requests.
log="/dev/stdout requests buffer=4k flush=1s"
own="$log if=\$is_own" handed="$log if=\$is_last"
[ "$ACCESS_LOG" != no ] || { log=off own=off handed=off; }
if [ -z "${REFUSED_FROM:=}" ]; then
    routers='' front='' handed_default='' listen='listen 8080;' only_routers='' handed=$log
else
    : "${NODE:?}" "${FLEET_SUBNET:?}"
    routers="127.0.0.1 1; $FLEET_SUBNET 1;"
    front=front.conf.template
    handed_default='listen 8081 default_server;'
    listen='listen 8081;'
    only_routers="if (\$is_router = 0) { return 403; } set_real_ip_from 127.0.0.1; set_real_ip_from $FLEET_SUBNET; real_ip_header X-Real-IP;"
fi
sed -e "/@FRONT@/{${front:+r $front
}d}" nginx.conf.template |
    sed -e "s|@DOMAIN_PATTERN@|${DOMAIN//./\\\\.}|; s|@DOMAIN@|$DOMAIN|g; s|@VPC_CIDR@|$VPC_CIDR|; s|@BODY_LIMIT@|$BODY_LIMIT|" \
        -e "s|@LOG@|$log|; s|@OWN_LOG@|$own|; s|@HANDED_LOG@|$handed|; s|@REFUSED_FROM@|$REFUSED_FROM|; s|@NODE@|${NODE:-}|" \
        -e "s|@ROUTERS@|$routers|; s|@HANDED_DEFAULT@|$handed_default|; s|@LISTEN@|$listen|; s|@ONLY_ROUTERS@|$only_routers|"
