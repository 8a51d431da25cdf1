# Make this node a member of the Swarm: certificate, engine on mutual TLS, the compose projects join and node.
# Safe to repeat. The last line of the output is one JSON object; everything else goes to standard error.
: "${ASSET_BUCKET:?}" "${ASSET_KEY:?}" "${ASSET_SHA256:?}" "${TOKEN_PREFIX:?}" "${JOIN_IMAGE:?}" "${ROUTER_IMAGE:?}"
: "${ROUTER_PORT:?}" "${DOMAIN:?}" "${OVERLAY_POOL:?}" "${BOOT_LIMIT_S:?}"
: "${mode:?}" "${role:?}" "${certificate:?}" "${authority:?}" "${address:?}" "${managers=}"
umask 077
tls=/etc/docker/tls
project=/opt/swarmkeeper/${ASSET_SHA256:0:16}

clean_up() { rm -rf "${token:-}" "${DOCKER_CONFIG:-}"; }
trap clean_up EXIT

# Put standard input into a file; succeeds when that changed it.
replace() {
    cat >"$1.new"
    if cmp -s "$1.new" "$1"; then
        rm -f "$1.new"
        return 1
    fi
    mv "$1.new" "$1"
}

# The engine listens on the node's own address only, for clients that the fleet's authority has signed.
engine_settings() {
    python3 - "$address" "$tls" <<'PYTHON'
import json, pathlib, sys

address, tls = sys.argv[1:]
settings = json.loads(pathlib.Path("/etc/docker/daemon.json").read_text())
settings |= {
    "hosts": ["unix:///var/run/docker.sock", f"tcp://{address}:2376"],
    "tlsverify": True,
    "tlscacert": f"{tls}/ca.pem",
    "tlscert": f"{tls}/cert.pem",
    "tlskey": f"{tls}/key.pem",
}
print(json.dumps(settings, indent=2, sort_keys=True))
PYTHON
}

secure_engine() {
    local changed=no
    base64 -d <<<"$authority" | replace "$tls/ca.pem" && changed=yes
    base64 -d <<<"$certificate" | replace "$tls/cert.pem" && changed=yes
    engine_settings | replace /etc/docker/daemon.json && changed=yes
    # A restart would take the containers down: only when something is new.
    [ "$changed" = no ] || systemctl restart docker
    docker info >/dev/null
}

fetch_projects() {
    [ ! -d "$project" ] || return 0
    local archive draft
    archive=$(mktemp)
    draft=$(mktemp -d /opt/swarmkeeper/draft.XXXXXX)
    aws s3 cp --only-show-errors "s3://$ASSET_BUCKET/$ASSET_KEY" "$archive"
    sha256sum --check --status <<<"$ASSET_SHA256  $archive" || { echo "the compose projects' checksum differs" >&2; return 1; }
    tar --no-same-owner -xzf "$archive" -C "$draft"
    sed -e "s/@DOMAIN_PATTERN@/${DOMAIN//./\\\\.}/; s/@DOMAIN@/$DOMAIN/" \
        "$draft/node/nginx.conf.template" >"$draft/node/nginx.conf"
    chmod -R go+rX "$draft"    # the router reads its configuration as nobody
    rm -f "$archive"
    mv -T "$draft" "$project"
}

# The token goes from the parameter into a file in memory that only root reads, and from there to Compose as a
# secret: it never stands in a command, an environment or an output.
read_token() {
    install -d -m 0700 /run/swarmkeeper
    token=$(mktemp /run/swarmkeeper/join-token.XXXXXX)
    [ "$mode" = join ] || return 0
    aws ssm get-parameter --with-decryption --name "$TOKEN_PREFIX/$role" --query Parameter.Value --output text >"$token"
}

join_swarm() {
    read_token
    export JOIN_IMAGE OVERLAY_POOL MODE="$mode" ROLE="$role" ADVERTISE_ADDRESS="$address" MANAGERS="$managers"
    export TOKEN_FILE="$token"
    local status=0
    docker compose --file "$project/join/compose.yaml" up --force-recreate --no-color \
        --abort-on-container-exit --exit-code-from join >&2 || status=$?
    docker compose --file "$project/join/compose.yaml" down --timeout 5 >&2 || :
    rm -f "$token"
    return "$status"
}

start_router() {
    export ROUTER_IMAGE ROUTER_PORT
    docker compose --file "$project/node/compose.yaml" up --detach --no-color --quiet-pull >&2
    local deadline=$((SECONDS + 30))
    until router_answers; do
        [ "$SECONDS" -lt "$deadline" ] || { docker compose --file "$project/node/compose.yaml" logs --tail 20 >&2; return 1; }
        sleep 0.2
    done
}

router_answers() {
    (exec 3<>"/dev/tcp/$address/$ROUTER_PORT" && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && grep -q '200 OK' <&3) 2>/dev/null
}

await_boot
exec 9>/run/swarmkeeper.lock && flock 9    # a command may be sent twice
install -d -m 0755 /opt/swarmkeeper
secure_engine
log_in_for "$JOIN_IMAGE"
log_in_for "$ROUTER_IMAGE"
fetch_projects
join_swarm
[ "$role" != worker ] || start_router
# The braces are split because Systems Manager takes a pair of them for a parameter of its own.
printf '{"node_id": "%s", "state": "%s"}\n' \
    "$(docker info --format '{'{.Swarm.NodeID}'}')" "$(docker info --format '{'{.Swarm.LocalNodeState}'}')"
