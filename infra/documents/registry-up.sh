# Start the fleet's registry on this host, or make a running one what the parameters and this document say now.
: "${ASSET_BUCKET:?}" "${ASSET_KEY:?}" "${ASSET_SHA256:?}" "${SECRET_PREFIX:?}"
: "${REGISTRY_IMAGE:?}" "${REGISTRY_PORT:?}" "${REGISTRY_STORAGE:?}" "${REGISTRY_BUCKET:?}"
umask 077
project=/opt/swarmkeeper/registry secrets=/etc/swarmkeeper/registry
trap 'rm -rf "${DOCKER_CONFIG:-}" "${draft:-}" "${fetched:-}"' EXIT

fetch_project() {
    [ "$(cat "$project/checksum" 2>/dev/null)" != "$ASSET_SHA256" ] || return 0
    draft=$(mktemp -d /opt/swarmkeeper/draft.XXXXXX)
    aws s3 cp --only-show-errors "s3://$ASSET_BUCKET/$ASSET_KEY" "$draft/archive"
    sha256sum --check --status <<<"$ASSET_SHA256  $draft/archive" || { echo "the project's checksum differs" >&2; return 1; }
    tar --no-same-owner -xzf "$draft/archive" -C "$draft"
    chmod -R go+rX "$draft/registry"    # the registry reads its settings as nobody
    install -d "$project"
    cp -a "$draft/registry/." "$project/"
    echo "$ASSET_SHA256" >"$project/checksum"    # last: it says that all the rest is there
}

# All are there before the first takes its place. up.sh starts the registry anew where they differ from what it has read.
fetch_secrets() {
    local name
    fetched=$(mktemp -d /etc/swarmkeeper/fetched.XXXXXX)
    for name in htpasswd tls.crt tls.key; do
        aws ssm get-parameter --with-decryption --name "$SECRET_PREFIX/$name" --query Parameter.Value --output text \
            >"$fetched/$name"
    done
    chown 65534:65534 "$fetched"/*    # the registry looks at the passwords while it runs, and reads as nobody
    install -d -m 0700 "$secrets"
    for name in htpasswd tls.crt tls.key; do
        cmp -s "$fetched/$name" "$secrets/$name" || mv -f "$fetched/$name" "$secrets/$name"
    done
}

exec 9>/run/swarmkeeper-registry.lock && flock 9    # not while garbage is collected
install -d -m 0755 /opt/swarmkeeper /etc/swarmkeeper
fetch_project
fetch_secrets
cat >"$project/.env" <<SETTINGS
REGISTRY_IMAGE=$REGISTRY_IMAGE
REGISTRY_ADDRESS=0.0.0.0:$REGISTRY_PORT
REGISTRY_STORAGE=$REGISTRY_STORAGE
REGISTRY_BUCKET=$REGISTRY_BUCKET
REGISTRY_REGION=$AWS_DEFAULT_REGION
REGISTRY_SECRETS=$secrets
SETTINGS
log_in_for "$REGISTRY_IMAGE"
"$project/up.sh" --quiet-pull >&2
