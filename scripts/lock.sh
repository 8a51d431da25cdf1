#!/usr/bin/env bash
# Locks what pyproject.toml asks for into requirements/*.txt: versions and hashes, never an address.
# One resolution for all: dev.txt is resolved first and the others are cut from it, so that a package
# has one version wherever it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=.venv/bin/uv
[ -x "$uv" ] || { echo "lock: run 'make setup' first (uv is missing)" >&2; exit 1; }

compile() {
  local output=$1
  shift
  "$uv" pip compile --quiet pyproject.toml "$@" \
    --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --output-file "requirements/$output"
}

upgrade=()
[ "${1:-}" = --upgrade ] && upgrade=(--upgrade)
compile dev.txt --extra infra --extra local --extra dev "${upgrade[@]}"
compile runtime.txt --constraint requirements/dev.txt
compile infra.txt --extra infra --constraint requirements/dev.txt
compile local.txt --extra local --constraint requirements/dev.txt
"$uv" pip compile --quiet --group native --constraint requirements/dev.txt \
  --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
  --output-file requirements/native.txt
# Ansible and Jenkins' tools are installed apart and need not agree with the rest.
"$uv" pip compile --quiet --group pipeline \
  --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
  --output-file requirements/pipeline.txt "${upgrade[@]}"
echo "locked: $(grep -c '^[a-zA-Z0-9]' requirements/dev.txt) packages"
