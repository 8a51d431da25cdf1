#!/bin/sh
# Starts the registry, or makes a running one what .env says now. Wants, in the folder of secrets:
# htpasswd (bcrypt), tls.crt with its chain, and tls.key.
set -eu
cd "$(dirname "$0")"
[ ! -f .env ] || . ./.env
secrets=${REGISTRY_SECRETS:-/etc/swarmkeeper/registry} data=${REGISTRY_DATA:-/var/lib/swarmkeeper/registry}
for name in htpasswd tls.crt tls.key; do
    [ -s "$secrets/$name" ] || { echo "missing: $secrets/$name" >&2; exit 2; }
done
# The registry runs as nobody: it reads its secrets and writes its images, and owns nothing else.
chown -R 65534:65534 "$secrets"
chmod 0500 "$secrets"
chmod 0400 "$secrets"/*
install -d -o 65534 -g 65534 -m 0700 "$data"
if [ "${REGISTRY_STORAGE:-disk}" = s3 ]; then
    {
        echo "REGISTRY_STORAGE_S3_REGION=${REGISTRY_REGION:?}"
        echo "REGISTRY_STORAGE_S3_BUCKET=${REGISTRY_BUCKET:?}"
        [ -z "${REGISTRY_S3_ENDPOINT:-}" ] || echo "REGISTRY_STORAGE_S3_REGIONENDPOINT=$REGISTRY_S3_ENDPOINT"
    } >storage.env
else
    rm -f storage.env
fi
# The registry reads these files when it starts: as a label their checksum makes Compose start it anew when one is
# another, also when an earlier run has put it there and then failed.
REGISTRY_STATE=$(cat "$secrets/htpasswd" "$secrets/tls.crt" "$secrets/tls.key" "config.${REGISTRY_STORAGE:-disk}.yml" |
    sha256sum | cut -d ' ' -f 1)
export REGISTRY_STATE
exec docker compose up --detach --wait --wait-timeout 60 "$@"
