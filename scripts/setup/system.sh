# shellcheck shell=bash
# Installs the system's packages that real engines need; sourced by setup.sh.

# system_packages PROGRAM:PACKAGE...: installs the packages whose program is missing.
system_packages() {
  local pair missing=()
  for pair in "$@"; do
    has_program "${pair%%:*}" || missing+=("${pair##*:}")
  done
  [ -x .venv/bin/python ] || find_python >/dev/null || missing+=(python3 python3-venv)
  [ "${#missing[@]}" -eq 0 ] && return 0
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if [ "$(uname -s)" != Linux ] || ! command -v apt-get >/dev/null; then
    say "missing here: ${missing[*]}"
    say "this machine has no apt-get, so real engines can't be set up: the demo will run on simulated engines"
    return 0
  fi
  install_packages "${missing[@]}"
}

# Programs of the system's administrator are not on every user's PATH.
has_program() {
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null
}

install_packages() {
  local as_root
  if ! as_root=$(way_to_root); then
    say "missing here: $*"
    say "installing needs root or sudo: the demo runs on simulated engines, and tests that need these are left out"
    return 0
  fi
  say "installing Debian packages with apt-get: $*"
  say "(their services are neither started nor left enabled: the local cloud starts its own engines)"
  forbid_service_starts "$as_root"
  # shellcheck disable=SC2064  # the prefix is local: it must be filled in now
  trap "allow_service_starts '$as_root'" EXIT
  # Each returns by itself what failed: callers ask in conditions, where the shell would go on.
  $as_root apt-get update -qq || return 1
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || return 1
  # Newer releases ship the client in a package of its own.
  has_program docker || $as_root apt-get install -y -qq --no-install-recommends docker-cli >/dev/null || return 1
  allow_service_starts "$as_root"
  trap - EXIT
  disable_services "$as_root" "$@"
}

# Prints the prefix that runs a command as root: nothing when we are root.
way_to_root() {
  [ "$(id -u)" -eq 0 ] && return 0
  command -v sudo >/dev/null || return 1
  # Without a terminal nobody could type the password.
  if [ -t 0 ]; then echo sudo; else sudo -n true 2>/dev/null && echo "sudo -n"; fi
}

readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_MARK="made by Swarmkeeper's setup"

# Debian starts what it installs unless this policy says no; one that is there already is somebody else's.
forbid_service_starts() {
  [ -e $POLICY ] && return 0
  printf '#!/bin/sh\n# %s\nexit 101\n' "$POLICY_MARK" | $1 tee $POLICY >/dev/null
  $1 chmod 755 $POLICY
}

allow_service_starts() {
  if grep -q "$POLICY_MARK" $POLICY 2>/dev/null; then $1 rm -f $POLICY; fi
}

# disable_services AS_ROOT PACKAGE...: the units that these packages have brought.
disable_services() {
  local as_root=$1 unit
  shift
  command -v systemctl >/dev/null || return 0
  local -a units=()
  mapfile -t units < <(dpkg -L "$@" nginx-common 2>/dev/null |
    sed -n 's#^\(/usr\)\?/lib/systemd/system/\([^@/]*\.\(service\|socket\)\)$#\2#p' | sort -u)
  for unit in "${units[@]}"; do
    case $unit in
      docker.* | containerd.service | nginx.service | docker-registry.service | influxdb.service)
        $as_root systemctl disable --now --quiet "$unit" >/dev/null 2>&1 ||
          $as_root systemctl disable --quiet "$unit" >/dev/null 2>&1 ||
          say "could not disable $unit: check it with 'systemctl status $unit'"
        ;;
    esac
  done
}
