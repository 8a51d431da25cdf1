# shellcheck shell=bash
# Builds cAdvisor's core, which Debian has only inside the source package of Kubernetes; sourced by setup.sh.

readonly CADVISOR=build/cadvisor/cadvisor
readonly CADVISOR_MAIN=local/monitoring/cadvisor/main.go

# Does nothing when it is built already from this main. Fails where it can't be built.
build_cadvisor() {
  local wanted stamp=build/cadvisor/.swarmkeeper-stamp
  wanted=$(sha256sum <$CADVISOR_MAIN)
  [ -x $CADVISOR ] && [ "$(cat $stamp 2>/dev/null)" = "$wanted" ] && return 0
  grep -qs '^ID=debian' /etc/os-release || { say "cAdvisor is built on Debian only"; return 1; }
  has_program go || (install_packages golang-go) || return 1
  has_program go || return 1
  say "building cAdvisor from the distribution's source (a minute or so)"
  local folder
  folder=$(mktemp -d)
  if ! (cadvisor_source "$folder" && cadvisor_program "$folder"); then
    rm -rf "$folder"
    return 1
  fi
  rm -rf "$folder"
  echo "$wanted" >$stamp
}

# cadvisor_source FOLDER: the vendored tree of the source package in FOLDER/go/src. apt checks what it fetches against
# the distribution's signed lists; the system's own lists and sources stay as they are. Each step says that it failed:
# in the condition in which this is called, `set -e` has no effect.
cadvisor_source() (
  cd "$1" && mkdir -p parts lists/partial cache/archives/partial go && source_entries >parts/source.sources || exit 1
  local -a apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/parts"
    -o "Dir::State::lists=$PWD/lists" -o "Dir::Cache=$PWD/cache" -o APT::Sandbox::User=)
  "${apt[@]}" update || exit 1
  "${apt[@]}" source --download-only kubernetes || exit 1
  tar -xzf kubernetes_*.orig.tar.gz --wildcards --strip-components=1 '*/vendor/*' || exit 1
  mv vendor go/src
)

# The system's own sources, for source packages. Both forms that Debian has are read.
source_entries() {
  local file
  for file in /etc/apt/sources.list.d/debian.sources; do
    [ ! -f $file ] || sed 's/^Types:.*/Types: deb-src/' $file
  done
  [ ! -s /etc/apt/sources.list ] ||
    awk '$1 == "deb" && $2 !~ /^\[/ {suites[$2] = suites[$2] " " $3}
      END {for (uri in suites) printf "Types: deb-src\nURIs: %s\nSuites:%s\nComponents: main\n\n", uri, suites[uri]}' \
      /etc/apt/sources.list
}

# cadvisor_program FOLDER: without cgo, so that it needs no library.
cadvisor_program() (
  mkdir -p "$1/go/src/cadvisor" build/cadvisor || exit 1
  cp $CADVISOR_MAIN "$1/go/src/cadvisor/" || exit 1
  GO111MODULE=off GOFLAGS='' GOPATH=$1/go GOCACHE=$1/cache CGO_ENABLED=0 \
    go build -ldflags='-s -w' -o $CADVISOR "$1/go/src/cadvisor"
)
