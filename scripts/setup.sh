#!/usr/bin/env bash
# Makes this checkout ready: the system's packages for real engines, and .venv from the locked requirements.
#
#   scripts/setup.sh            everything that `make demo` and `make test` need
#   scripts/setup.sh --test     all below but --node, and .venv313 where a second Python is found to test on
#   scripts/setup.sh --monitoring  that, InfluxDB, and cAdvisor built from the distribution's source
#   scripts/setup.sh --pipeline that, and .venv-pipeline: Ansible, Molecule and what writes Jenkins jobs, with their linters
#   scripts/setup.sh --node     that, and the CDK command line
#
# Safe to repeat: what is there already is left alone, and a second run takes under a second.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup/python.sh
. scripts/setup/system.sh
. scripts/setup/cadvisor.sh

say() { printf 'setup: %s\n' "$*"; }

# The program that tells whether a package is there, and Debian's name of the package.
readonly NEEDED=(
  dockerd:docker.io docker:docker.io containerd:containerd runc:runc iptables:iptables ip:iproute2
  nsenter:util-linux losetup:mount mkfs.ext4:e2fsprogs tini:tini busybox:busybox-static nginx:nginx-light docker-registry:docker-registry
  openssl:openssl node:nodejs
)

main() {
  system_packages "${NEEDED[@]}"
  virtual_environment .venv find_python
  functions_layer
  machine_code
  case "${1:-}" in
    --test)
      second_environment
      pipeline_environment
      test_programs
      test_browser
      base_images
      monitoring_programs
      ;;
    --monitoring) monitoring_programs ;;
    --pipeline) pipeline_environment ;;
    --node) cdk_command ;;
  esac
}

second_environment() {
  if [ ! -x .venv313/bin/python ]; then
    [ "$(version_of .venv/bin/python)" != "$SECOND_PYTHON" ] || return 0
    find_second_python >/dev/null || return 0
  fi
  virtual_environment .venv313 find_second_python
}

# Apart from .venv, since their requirements and ours need not agree. The same Python, so that nodes of the local cloud see it.
pipeline_environment() {
  virtual_environment .venv-pipeline our_python requirements/pipeline.txt
}

our_python() {
  .venv/bin/python -c 'import os, sys; print(os.path.realpath(sys.executable))'
}

# What only tests and measurements use: a terminal's server over WebSocket, a source of load, the passwords of a
# registry, and what makes the base images' stand-ins.
readonly TESTS_NEED=(websocketd:websocketd wrk:wrk htpasswd:apache2-utils mmdebstrap:mmdebstrap)

test_programs() {
  local pair
  for pair in "${TESTS_NEED[@]}"; do
    optional_program "$pair" "what needs it is left out"
  done
}

# optional_program PROGRAM:PACKAGE CONSEQUENCE: says the consequence where it can't be installed.
optional_program() {
  has_program "${1%%:*}" || (install_packages "${1##*:}") || say "${1%%:*} is missing: $2"
}

# The browser that the console is tested in. Ubuntu's package of that name is a snap, which needs a running snapd.
test_browser() {
  ! has_program chromium || return 0
  if grep -qs '^ID=debian' /etc/os-release && (install_packages chromium); then return 0; fi
  say "chromium is missing: the console's test in a browser is left out"
}

# What stands in for the official images that users' images are built from. Made here, so that tests need no network.
base_images() {
  [ "$(id -u)" -eq 0 ] && has_program mmdebstrap || return 0
  say "making the base images' stand-ins from Debian's packages, unless they are there (minutes the first time)"
  .venv/bin/python -m local.bases build/bases || say "they could not be made: the images' tests on real engines will say so"
}

# What `swarmkeeper local up --monitoring` runs. Grafana and Telegraf are no packages of the distribution.
monitoring_programs() {
  optional_program influxd:influxdb "\`swarmkeeper local up --monitoring\` needs it"
  build_cadvisor || say "cAdvisor could not be built: \`swarmkeeper local up --monitoring\` on real engines needs it"
}

# Fetched here, so that synthesis works offline from now on.
functions_layer() {
  local wanted stamp=build/layer/.swarmkeeper-stamp
  wanted=$(cat requirements/runtime.txt infra/bundle.py infra/compiling.py infra/slimming.py | sha256sum)
  [ "$(cat $stamp 2>/dev/null)" = "$wanted" ] && return 0
  say "fetching the functions' packages for Lambda (hashes are checked)"
  .venv/bin/python -c 'from infra.bundle import layer; layer()'
  echo "$wanted" >$stamp
}

# Placement, for this Python and for the functions'. Debian keeps Python's headers apart.
machine_code() {
  local status=0 lacks_headers=3
  .venv/bin/python -m infra.native || status=$?
  if [ "$status" = "$lacks_headers" ]; then
    ! command -v apt-get >/dev/null || (install_packages "python$(version_of .venv/bin/python)-dev") || :
    status=0
    .venv/bin/python -m infra.native || status=$?
    [ "$status" != "$lacks_headers" ] || { say "Python's headers are missing: placement is interpreted here"; return 0; }
  fi
  return "$status"
}

cdk_command() {
  [ -f package-lock.json ] || return 0
  if ! command -v npm >/dev/null; then
    say "npm is missing: templates are still synthesised, only the cdk command (to deploy) is not installed"
    return 0
  fi
  local wanted stamp=node_modules/.swarmkeeper-stamp
  wanted=$(cat package.json package-lock.json | sha256sum)
  [ "$(cat $stamp 2>/dev/null)" = "$wanted" ] && return 0
  say "installing the CDK command line into node_modules"
  if ! npm ci --silent --no-audit --no-fund; then
    say "the cdk command could not be installed: templates are still synthesised, deploying needs it"
    return 0
  fi
  echo "$wanted" >$stamp
}

main "$@"
