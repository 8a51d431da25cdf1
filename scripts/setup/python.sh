# shellcheck shell=bash
# Finds a Python and builds virtual environments from the locks; sourced by setup.sh.

# The functions run on 3.13 in AWS; 3.11 is the oldest that is supported.
readonly SECOND_PYTHON=3.13
readonly PYTHONS=(python3.13 python3.12 python3.11 python3.14 python3)

# Prints the first Python that is 3.11 or newer and can make virtual environments.
find_python() {
  local name
  for name in "${PYTHONS[@]}"; do
    usable "$name" && command -v "$name" && return 0
  done
  return 1
}

# Prints a Python of the functions' version, on PATH or among pyenv's.
find_second_python() {
  local candidate
  for candidate in "python$SECOND_PYTHON" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$SECOND_PYTHON".*/bin/python; do
    usable "$candidate" && [ "$(version_of "$candidate")" = "$SECOND_PYTHON" ] && echo "$candidate" && return 0
  done
  return 1
}

# ensurepip is what Debian keeps apart in python3-venv. A pyenv shim may be on PATH and still not run.
usable() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

version_of() {
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

# virtual_environment FOLDER FINDER [LOCK]: brought up to date when the lock has changed; our own has this project too.
virtual_environment() {
  local folder=$1 find=$2 lock=${3:-requirements/dev.txt} wanted
  wanted=$(cat "$lock" pyproject.toml | sha256sum)
  [ "$(cat "$folder/.swarmkeeper-stamp" 2>/dev/null)" = "$wanted" ] && return 0
  [ -x "$folder/bin/python" ] || make_environment "$folder" "$find" || return 1
  say "installing $(grep -c '^[a-zA-Z0-9]' "$lock") locked packages into $folder (hashes are checked)"
  install_locked "$folder" "$lock" || return 1    # in a condition the shell would go on, and stamp what failed
  [ "$lock" != requirements/dev.txt ] || install_project "$folder" || return 1
  echo "$wanted" >"$folder/.swarmkeeper-stamp"
}

make_environment() {
  local folder=$1 python
  python=$("$2") || { say "no Python of version 3.11 or newer was found, and none can be installed here"; exit 1; }
  say "making $folder with $("$python" --version) ($python)"
  rm -rf "$folder"
  "$python" -m venv "$folder"
}

# uv installs in seconds; pip is the fallback where only pip knows how to reach a package index.
install_locked() {
  local folder=$1 lock=$2 uv=$1/bin/uv
  [ "$lock" = requirements/dev.txt ] || uv=.venv/bin/uv
  if [ ! -x "$uv" ]; then
    uv_alone | "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r /dev/stdin
  fi
  # Compiled once here: where Python may not write bytecode, each start of a program would compile all it imports.
  local -x VIRTUAL_ENV=$PWD/$folder UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
  "$uv" pip install --quiet --require-hashes -r "$lock" && return 0
  say "uv could not install them; trying pip"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
}

install_project() {
  local -x VIRTUAL_ENV=$PWD/$1 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
  "$1/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable . ||
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

# uv's own block of the lock, so that it is installed with the same check as everything else.
uv_alone() {
  awk '/^uv==/ {inside = 1; print; next} /^[a-zA-Z0-9]/ {inside = 0} inside' requirements/dev.txt
}
