# Make this node a member of the Swarm: certificate, engine on mutual TLS, the compose projects join and node.
# Safe to repeat, also on a node that serves already: a member's engine is not restarted and its certificate not
# replaced. The last line of the output is one JSON object; everything else goes to standard error.
: "${ASSET_BUCKET:?}" "${ASSET_KEY:?}" "${ASSET_SHA256:?}" "${TOKEN_PREFIX:?}" "${JOIN_IMAGE:?}" "${ROUTER_IMAGE:?}"
: "${ROUTER_PORT:?}" "${DOMAIN:?}" "${VPC_CIDR:?}" "${BODY_LIMIT:?}" "${ACCESS_LOG:?}"
: "${OVERLAY_POOL:?}" "${OVERLAY_PREFIX:?}" "${BOOT_LIMIT_S:?}" "${FLEET:?}" "${SHARED_VOLUMES=}" "${TENANT_NETWORKS=}"
: "${FLEET_SUBNET:?}" "${LOCATOR=}" "${RESOLVER:?}"
: "${CADVISOR_IMAGE=}" "${TELEGRAF_IMAGE=}" "${INFLUXDB_URL=}" "${INFLUXDB_PASSWORD_PARAMETER=}" "${pool=}"
: "${mode:?}" "${role:?}" "${certificate:?}" "${authority:?}" "${address:?}" "${managers=}" "${spread:=0}"
REFUSED_FROM=${TENANT_NETWORKS:+$OVERLAY_POOL}
umask 077
tls=/etc/docker/tls
project=/opt/swarmkeeper/${ASSET_SHA256:0:16}
member=/var/lib/swarmkeeper/member    # there from the first successful join on
slot=/var/lib/swarmkeeper/slot        # where a manager's state outlives its instance: a folder for each that has had it
copying=$slot/$HOSTNAME.copying       # there while what was kept is copied: an engine on half of it is no member

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

# The braces are split because Systems Manager takes a pair of them for a parameter of its own.
swarm_info() { docker info --format "{""{.Swarm.$1}""}"; }

# Whether the engine is a member. One that has been a member and was just started, after a reboot say, finds its
# managers again in a moment: it is waited for. Only what a first attempt has left may be cleared.
is_member() {
    local deadline=$((SECONDS + 30)) state
    while :; do
        state=$(swarm_info LocalNodeState) || exit 1
        case $state in
            active) return 0 ;;
            inactive) return 1 ;;
        esac
        [ -e "$member" ] || return 1
        [ "$SECONDS" -lt "$deadline" ] || { echo "a member without its managers ($state): left as it is" >&2; exit 1; }
        sleep 1
    done
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
    # Only when something is new: a join that is tried again would wait for the engine for nothing.
    [ "$changed" = no ] || systemctl restart docker
    systemctl start docker
    docker info >/dev/null
}

# Recovery begins with a copy of what the slot's last manager has left; that stays as it is.
take_kept_state() {
    local kept own=$slot/$HOSTNAME
    kept=$slot/$(cat "$slot/kept") || { echo "no manager has left a state in this slot" >&2; return 1; }
    if [ ! -s "$kept/docker-state.json" ] || ! compgen -G "$kept/raft/wal*/*.wal" >/dev/null; then
        echo "what is left in this slot is no manager's state: it has stepped down" >&2
        return 1
    fi
    [ "$kept" != "$own" ] || return 0
    systemctl stop docker
    touch "$copying"
    find "$own" -mindepth 1 -delete
    cp -a "$kept/." "$own/"
    sync -f "$slot"
    rm "$copying"
}

# From now on this manager's state is the one to recover from. Of those before one is left, should this one be bad.
keep_state() {
    local before each
    before=$(cat "$slot/kept" 2>/dev/null) || :
    replace "$slot/kept" <<<"$HOSTNAME" || return 0
    sync -f "$slot"
    for each in "$slot"/i-*; do
        [ "${each##*/}" = "$HOSTNAME" ] || [ "${each##*/}" = "$before" ] || rm -rf "$each"
    done
}

fetch_projects() {
    [ ! -d "$project" ] || return 0
    local archive draft
    archive=$(mktemp)
    draft=$(mktemp -d /opt/swarmkeeper/draft.XXXXXX)
    aws s3 cp --only-show-errors "s3://$ASSET_BUCKET/$ASSET_KEY" "$archive"
    sha256sum --check --status <<<"$ASSET_SHA256  $archive" || { echo "the compose projects' checksum differs" >&2; return 1; }
    tar --no-same-owner -xzf "$archive" -C "$draft"
    DOMAIN=$DOMAIN VPC_CIDR=$VPC_CIDR BODY_LIMIT=$BODY_LIMIT ACCESS_LOG=$ACCESS_LOG REFUSED_FROM=$REFUSED_FROM \
        NODE=$HOSTNAME FLEET_SUBNET=$FLEET_SUBNET bash "$draft/node/render.sh" >"$draft/node/nginx.conf"
    [ -z "$TENANT_NETWORKS" ] ||
        LOCATOR=$LOCATOR RESOLVER=$RESOLVER bash "$draft/node/render.sh" finder >"$draft/node/finder.conf"
    echo "$REFUSED_FROM" >"$draft/node/refused"    # what this configuration was made with
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
    export JOIN_IMAGE OVERLAY_POOL OVERLAY_PREFIX MODE="$mode" ROLE="$role" ADVERTISE_ADDRESS="$address" MANAGERS="$managers"
    export TOKEN_FILE="$token"
    local status=0 said
    docker compose --file "$project/join/compose.yaml" up --force-recreate --no-color \
        --abort-on-container-exit --exit-code-from join >&2 || status=$?
    said=$(docker compose --file "$project/join/compose.yaml" logs --no-log-prefix --tail 1 join 2>&1) || :
    docker compose --file "$project/join/compose.yaml" down --timeout 5 >&2 || :
    rm -f "$token"
    # The last line is what the registrar gives as the reason of a join that failed.
    [ "$status" = 0 ] || echo "$said" >&2
    return "$status"
}

compose_node() { docker compose --file "$project/node/compose.yaml" "$@" >&2; }

# A container that runs and is as it should be is left alone by `up`. A start may fail all the same: an engine that
# has just been started takes part in the overlay only once each node on it has answered, and waits 30 s for one that
# has not heard of it yet, while a container's start waits 20 s. A restart policy does not try again, so we do.
start_router() {
    export ROUTER_IMAGE ROUTER_PORT NODE="$HOSTNAME"
    REFUSED_FROM=$(cat "$project/node/refused")
    export REFUSED_FROM
    local deadline=$((SECONDS + 120)) anew='' finder=''
    [ ! -e "$project/node/finder.conf" ] || finder='--profile tenants'
    # shellcheck disable=SC2086  # options are words
    until compose_node $finder up --detach --no-color --quiet-pull $anew && router_answers_soon && finder_listens_soon; do
        [ "$SECONDS" -lt "$deadline" ] || { compose_node logs --tail 20; echo "the router does not come up" >&2; return 1; }
        anew=--force-recreate
        sleep 2
    done
}

router_answers_soon() {
    local deadline=$((SECONDS + 20))
    until router_answers; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "the router does not answer" >&2; return 1; }
        sleep 0.2
    done
}

# Without it the router would know the names of its own node's tenants only.
finder_listens_soon() {
    [ -e "$project/node/finder.conf" ] || return 0
    local deadline=$((SECONDS + 20))
    until docker exec node-router-1 test -S /run/where/where.sock; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "the finder does not listen" >&2; return 1; }
        sleep 0.2
    done
}

# cAdvisor and Telegraf, where the settings name their images. What is measured must not decide whether a node serves:
# when they don't come up, that is told, and the node joins all the same. Nor may it use up the join's time: whatever is
# asked of AWS, a registry and the engine ends by one deadline. In a shell of its own, which cleans up after itself.
start_monitoring() (
    trap clean_up EXIT
    deadline=$((SECONDS + 60))
    aws() { in_time aws "$@"; }
    docker() { in_time docker "$@"; }
    local -a wanted=()
    [ -z "$CADVISOR_IMAGE" ] || wanted+=(cadvisor)
    [ -z "$TELEGRAF_IMAGE" ] || wanted+=(telegraf)
    [ "${#wanted[@]}" -gt 0 ] || return 0
    export CADVISOR_IMAGE TELEGRAF_IMAGE ROUTER_IMAGE ROUTER_PORT INFLUXDB_URL FLEET AWS_DEFAULT_REGION
    export NODE="$HOSTNAME" POOL="$pool" INFLUXDB_PASSWORD='' INFLUXDB_CONFIG=''
    if [ -n "$INFLUXDB_URL" ] && [ -n "$TELEGRAF_IMAGE" ]; then
        INFLUXDB_CONFIG='--config /etc/telegraf/influxdb.conf'
        INFLUXDB_PASSWORD=$(aws ssm get-parameter --with-decryption --name "$INFLUXDB_PASSWORD_PARAMETER" \
            --query Parameter.Value --output text) || return 1
    fi
    log_in_for "$CADVISOR_IMAGE" || return 1
    log_in_for "$TELEGRAF_IMAGE" || return 1
    until docker compose --file "$project/node/compose.yaml" --profile monitoring up \
        --detach --no-color --quiet-pull "${wanted[@]}" >&2; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 2
    done
)

in_time() {
    local left=$((deadline - SECONDS))
    [ "$left" -gt 0 ] || return 124
    timeout --kill-after=5 "$left" "$@"
}

# A unit of the host rather than a container: the hop limit of the metadata keeps the node's role from containers.
agent_unit() {
    cat <<UNIT
[Unit]
Description=Tells the fleet when one of its containers has ended
After=docker.service network-online.target
[Service]
Environment=FLEET=$FLEET NODE=$(hostname) AWS_DEFAULT_REGION=$AWS_DEFAULT_REGION HOME=/run/swarmkeeper-agent
ExecStart=/bin/bash $project/node/agent.sh
Restart=always
RestartSec=2
DynamicUser=yes
SupplementaryGroups=docker
RuntimeDirectory=swarmkeeper-agent
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
CapabilityBoundingSet=
MemoryMax=256M
[Install]
WantedBy=multi-user.target
UNIT
}

guard_unit() {
    cat <<UNIT
[Unit]
Description=Keeps containers away from what is the node's
After=docker.service
[Service]
ExecStart=/bin/bash $project/node/guard.sh $*
Restart=always
RestartSec=2
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=yes
PrivateTmp=yes
[Install]
WantedBy=multi-user.target
UNIT
}

revive_unit() {
    cat <<UNIT
[Unit]
Description=Brings the router back onto tenants' networks
After=docker.service
[Service]
Environment=HOME=/run/swarmkeeper-revive
ExecStart=/bin/bash $project/node/revive.sh
Restart=always
RestartSec=2
RuntimeDirectory=swarmkeeper-revive
NoNewPrivileges=yes
ProtectHome=yes
PrivateTmp=yes
[Install]
WantedBy=multi-user.target
UNIT
}

# Standard input is the unit's file.
start_unit() {
    local unit=/etc/systemd/system/$1.service
    if ! replace "$unit" && systemctl is-active --quiet "$1"; then
        return 0
    fi
    chmod 0644 "$unit"
    systemctl daemon-reload
    systemctl enable "$1"
    systemctl restart "$1"
}

# Before the node is ready, so that no container of a tenant is there first.
start_guard() {
    bash "$project/node/guard.sh" once "$@"
    guard_unit "$@" | start_unit swarmkeeper-guard
}

router_answers() {
    (exec 3<>"/dev/tcp/$address/$ROUTER_PORT" && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && grep -q '200 OK' <&3) 2>/dev/null
}

await_boot
exec 9>/run/swarmkeeper.lock && flock 9    # a command may be sent twice
install -d -m 0755 /opt/swarmkeeper
systemctl start docker    # where an earlier run was cut off in its restart
log_in_for "$JOIN_IMAGE"
log_in_for "$ROUTER_IMAGE"
fetch_projects
if [ -e "$copying" ] || ! is_member; then
    rm -f "$member"
    [ "$mode" != recover ] || take_kept_state
    secure_engine
    sleep $((RANDOM % (spread + 1)))    # of a crowd, not all at the same managers in the same second
    join_swarm
fi
touch "$member"
[ ! -d "$slot" ] || keep_state
if [ "$role" = worker ]; then
    start_router
    agent_unit | start_unit swarmkeeper-agent
    guarded=(${SHARED_VOLUMES:+nfs} ${TENANT_NETWORKS:+"engine=$VPC_CIDR" "router=$VPC_CIDR:$ROUTER_PORT" "locator=$VPC_CIDR:${LOCATOR##*:}"})
    [ "${#guarded[@]}" = 0 ] || start_guard "${guarded[@]}"
    [ -z "$TENANT_NETWORKS" ] || revive_unit | start_unit swarmkeeper-revive
fi
start_monitoring || echo "what measures the node does not come up" >&2
printf '{"node_id": "%s", "state": "%s"}\n' "$(swarm_info NodeID)" "$(swarm_info LocalNodeState)"
