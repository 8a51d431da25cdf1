#!/bin/sh
# Process 1 of a node until it becomes tini: builds the node's own view of the file system and moves into it.
# Talks with the program that started it: says "born", waits for "go" (the network cable is in), says "ready".
# When that program dies before "go" the read fails, and the half-born node ends with it.
set -eu
umask 022
# The host's /proc is still mounted, so these are our pid and start time as the host sees them.
read -r stat </proc/self/stat
# Splitting is meant: the fields of proc(5), where 1 is the pid and 22 the start time.
# shellcheck disable=SC2086
set -- $stat
echo "$1 ${22}" >"$SWK_DIR/pid"
echo 0 >"$SWK_CGROUP/cgroup.procs"
echo born
read -r go
[ "$go" = go ]

root=$SWK_DIR/root
layers=$SWK_DIR/layers
mkdir -p "$root" "$layers"
[ "$SWK_STORE" = disk ] || mount -t tmpfs -o mode=0755 swk-layers "$layers"
mkdir -p "$layers/upper" "$layers/work" "$layers/docker"
mount -t overlay swk-root -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$root"

# What a fresh instance doesn't have: the host's homes, secrets, engine settings and other nodes' files.
while read -r mode path; do
    mkdir -p "$root$path"
    mount -t tmpfs -o "mode=$mode" swk-mask "$root$path"
done <"$SWK_DIR/masks"
while read -r options source path; do
    mkdir -p "$root$path"
    mount --bind "$source" "$root$path"
    mount -o "remount,bind,$options" "$root$path"
done <"$SWK_DIR/binds"
mkdir -p "$root/var/lib/docker"
mount --bind "$layers/docker" "$root/var/lib/docker"
[ -z "$SWK_IMAGE" ] || tar --extract --xattrs --xattrs-include='*' --file "$SWK_IMAGE" --directory "$root"
cp -a --remove-destination "$SWK_DIR/seed/." "$root/"

mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 swk-shm "$root/dev/shm"
# A sysfs of our own shows the node's network devices; the cgroups are the machine's.
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount -t proc proc "$root/proc"
# /proc/sys/net belongs to the node's namespace; all the rest of /proc/sys would change the host.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"

hostname "$SWK_NAME"
# No default route: what isn't in the VPC fails at once.
ip -batch - <<BATCH
link set lo up
address add $SWK_ADDRESS dev eth0
link set eth0 up
route add 169.254.169.254/32 dev eth0
BATCH

cd "$root"
mkdir -p .old
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
echo ready
exec env -i PATH="$SWK_PATH" LANG=C.UTF-8 "$SWK_TINI" -- /bin/sh /usr/local/lib/swarmkeeper/boot.sh >/dev/null 2>&1 </dev/null
