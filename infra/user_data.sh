#!/bin/bash
# Turn a stock or a baked machine image into a node whose engine can join a Swarm. Runs once, at the first boot.
# What the image has already is left alone; what is downloaded is checked against the sums below.
set -Eeuo pipefail

COMPOSE_VERSION=2.40.3
COMPOSE_SHA256_x86_64=dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372
COMPOSE_SHA256_aarch64=d26373b19e89160546d15407516cc59f453030d9bc5b43ba7faf16f7b4980137
STATE=/var/lib/swarmkeeper
VOLUME=''
SLOT=$STATE/slot

fail() {
    echo "line $1: $BASH_COMMAND" >"$STATE/boot-failed"
    echo "user data failed: $(cat "$STATE/boot-failed")" >&2
}

metadata() {
    python3 - "$1" <<'PYTHON'
import sys, urllib.request

base, life = "http://169.254.169.254/latest/", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
ask = urllib.request.Request(base + "api/token", method="PUT", headers=life)
token = urllib.request.urlopen(ask, timeout=5).read().decode()
ask = urllib.request.Request(base + "meta-data/" + sys.argv[1], headers={"X-aws-ec2-metadata-token": token})
print(urllib.request.urlopen(ask, timeout=5).read().decode())
PYTHON
}

# The Swarm, the table and people know a node by the bare instance id.
name_host() {
    local id
    id=$(metadata instance-id)
    hostnamectl set-hostname "$id" 2>/dev/null || { echo "$id" >/etc/hostname && hostname "$id"; }
}

# From the distribution's own repositories, whose packages are signed.
install_package() {
    if command -v dnf >/dev/null; then
        dnf install --assumeyes --quiet "$1"
    else
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet "${2:-$1}"
    fi
}

compose_is_new_enough() {
    local version
    version=$(docker compose version --short 2>/dev/null) || return 1
    version=${version#v}
    [ "$(printf '%s\n' "2.40.0" "$version" | sort -V | head -n 1)" = "2.40.0" ]
}

install_compose() {
    local plugins=/usr/local/lib/docker/cli-plugins machine sum
    machine=$(uname -m)
    sum=COMPOSE_SHA256_$machine
    install -d -m 0755 "$plugins"
    python3 - "$COMPOSE_VERSION" "$machine" "$plugins/docker-compose.new" <<'PYTHON'
import shutil, sys, urllib.request

version, machine, target = sys.argv[1:]
address = f"https://github.com/docker/compose/releases/download/v{version}/docker-compose-linux-{machine}"
with urllib.request.urlopen(address, timeout=60) as answer, open(target, "wb") as file:
    shutil.copyfileobj(answer, file)
PYTHON
    sha256sum --check --status <<<"${!sum}  $plugins/docker-compose.new"
    chmod 0755 "$plugins/docker-compose.new"
    mv "$plugins/docker-compose.new" "$plugins/docker-compose"
}

install_missing() {
    command -v openssl >/dev/null || install_package openssl
    command -v tar >/dev/null || install_package tar
    command -v aws >/dev/null || install_package awscli-2 awscli
    command -v dockerd >/dev/null || install_package docker docker.io
    compose_is_new_enough || install_compose
}

# An image baked from a running node would give every instance the same engine id and an old Swarm's keys.
forget_identity() {
    systemctl stop docker 2>/dev/null || :
    rm -rf /var/lib/docker/engine-id /etc/docker/key.json /var/lib/docker/swarm /etc/docker/tls
}

# Addresses are fixed, so that swarmkeeper.yaml can be checked against them. Distributions start the engine with -H,
# which forbids `hosts` in the file; the drop-in takes it away.
configure_engine() {
    install -d -m 0755 /etc/docker /etc/systemd/system/docker.service.d
    cat >/etc/docker/daemon.json <<'JSON'
{
  "hosts": ["unix:///var/run/docker.sock"],
  "bip": "172.17.0.1/16",
  "default-address-pools": [{"base": "172.18.0.0/16", "size": 20}],
  "log-driver": "json-file",
  "log-opts": {"max-size": "10m", "max-file": "3"}
}
JSON
    cat >/etc/systemd/system/docker.service.d/swarmkeeper.conf <<'UNIT'
[Service]
ExecStart=
ExecStart=/usr/bin/dockerd --containerd=/run/containerd/containerd.sock
UNIT
}

# A manager's Swarm state may lie on a volume that outlives the instance: in a folder for each instance that has had it,
# so that what an earlier one has left is used by nobody unless recovery is ordered. One instance has the volume at a
# time, EC2 sees to that; the one before may still be ending.
attach_volume() {
    local deadline=$((SECONDS + 240)) region id
    region=$(metadata placement/region)
    id=$(metadata instance-id)
    until [ -e "$1" ]; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "$VOLUME can't be had" >&2; return 1; }
        aws ec2 attach-volume --region "$region" --volume-id "$VOLUME" --instance-id "$id" --device /dev/sdf >/dev/null || :
        sleep 1
    done
}

# A file system is made once, where there is nothing at all: a new volume is all zeros. One that can't be read stops here.
format_once() {
    local written
    written=$(head --bytes=1M "$1" | tr -d '\000' | wc -c)
    [ "$written" != 0 ] || mkfs.ext4 -q "$1"
}

open_slot() {
    local device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${VOLUME/-/} own
    own=$SLOT/$(metadata instance-id)
    attach_volume "$device"
    format_once "$device"
    install -d -m 0700 "$SLOT" /var/lib/docker/swarm
    cat >>/etc/fstab <<FSTAB
$device $SLOT ext4 nofail 0 2
$own /var/lib/docker/swarm none bind,nofail,x-systemd.requires-mounts-for=$SLOT 0 0
FSTAB
    mount "$SLOT"
    install -d -m 0700 "$own"
    mount /var/lib/docker/swarm
    # After a reboot an engine without its state would be a node of no Swarm.
    printf '[Unit]\nRequiresMountsFor=/var/lib/docker/swarm\n' >/etc/systemd/system/docker.service.d/slot.conf
}

install -d -m 0755 "$STATE"
[ ! -e "$STATE/booted" ] || exit 0
trap 'fail $LINENO' ERR
name_host
install_missing
forget_identity
configure_engine
[ -z "$VOLUME" ] || open_slot
systemctl daemon-reload
systemctl enable --now docker
touch "$STATE/booted"
