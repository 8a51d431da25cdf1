#!/bin/bash
# Print the router's configuration: the template beside this script with the fleet's settings filled in.
set -euo pipefail

: "${DOMAIN:?}" "${VPC_CIDR:?}" "${BODY_LIMIT:?}" "${ACCESS_LOG:?}"
# Containers of one tenant must not reach another's through a router that is on both networks.
refused=${REFUSED_FROM:+deny $REFUSED_FROM;}
log=off
# Lines are kept for a second, or until 4 KB are full: one write for some ten requests.
[ "$ACCESS_LOG" = no ] || log="/dev/stdout requests buffer=4k flush=1s"
sed -e "s|@DOMAIN_PATTERN@|${DOMAIN//./\\\\.}|; s|@DOMAIN@|$DOMAIN|g; s|@VPC_CIDR@|$VPC_CIDR|; s|@BODY_LIMIT@|$BODY_LIMIT|" \
    -e "s|@ACCESS_LOG@|$log|; s|@REFUSED_FROM@|$refused|" "$(dirname "$0")/nginx.conf.template"
