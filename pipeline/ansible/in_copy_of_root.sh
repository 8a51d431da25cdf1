#!/bin/bash
# Runs a command as root in a copy of this machine's file system that vanishes with it: what it installs or writes stays
# in memory. The network is this machine's own.
#
#   pipeline/ansible/in_copy_of_root.sh COMMAND [ARGUMENT...]
set -euo pipefail
if [ "${IN_COPY:-}" != made ]; then
    IN_COPY=made exec unshare --mount --pid --fork --kill-child -- "$0" "$(pwd -P)" "$@"
fi
unset IN_COPY
folder=$1
shift
mount --make-rprivate /
layers=$(mktemp -d)
trap 'umount --quiet --lazy "$layers" || :; rmdir "$layers"' EXIT # a folder that something is mounted on can't be removed
mount -t tmpfs -o mode=0755 layers "$layers"
mkdir "$layers/upper" "$layers/work" "$layers/root"
root=$layers/root
mount -t overlay copy -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$root"
# What an engine that runs on this machine has stored, and its settings, are no part of a fresh one.
for hidden in /etc/docker /var/lib/docker /var/lib/swarmkeeper /root /run; do
    mkdir -p "$root$hidden"
    mount -t tmpfs -o mode=0755 hidden "$root$hidden"
done
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
# The checkout and the Pythons may lie on file systems of their own, which the overlay doesn't show.
for needed in "$folder" $NEEDED_FOLDERS; do
    mkdir -p "$root$needed"
    mount --rbind "$needed" "$root$needed"
done
touch "$root/.throwaway"
mkdir -p "$root/run/units/active" "$root/run/units/enabled"
cat >"$root/usr/local/bin/systemctl" <<'SYSTEMCTL'
#!/bin/bash
# No systemd runs in the copy: this remembers what was started and enabled, in files, and all that changed anything in a log.
verb=$1
shift
cd /run/units || exit 1
told() { if [ -e "$1/$2" ]; then echo "$3"; else echo "$4"; return "$5"; fi; }
case $verb in
    is-*) ;;
    *) echo "$verb $*" | sed 's/ *$//' >>/run/systemctl.log ;;
esac
case $verb in
    daemon-reload) ;;
    start | restart) for unit; do touch "active/$unit"; done ;;
    stop) for unit; do rm -f "active/$unit"; done ;;
    enable) for unit; do touch "enabled/$unit"; done ;;
    disable) for unit; do rm -f "enabled/$unit"; done ;;
    is-active) told active "$1" active inactive 3 ;;
    is-enabled) told enabled "$1" enabled disabled 1 ;;
    *) echo "systemctl $verb: not known in the copy" >&2; exit 1 ;;
esac
SYSTEMCTL
chmod 0755 "$root/usr/local/bin/systemctl"
chroot "$root" /usr/bin/env --chdir="$folder" HOME=/root PATH="/usr/local/bin:$PATH" "$@"
