#!/usr/bin/env bash
# Measures what docs/performance.md states and leaves the figures as JSON in build/bench/.
#
#   scripts/bench.sh            everything; on real engines too where those can run (some 40 minutes)
#   scripts/bench.sh --quick    placement and scaling only (some 12 minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/bench
mkdir -p "$out"

bench() {
  local name=$1
  shift
  echo "bench: $name"
  .venv/bin/swarmkeeper bench "$@" --json --output "$out/$name.json" >/dev/null
}

for strategy in spread binpack; do
  for scenario in plain constraint affinity mixed; do
    bench "placement-$scenario-$strategy-1000" placement --nodes 1000 --containers 30 --scenario "$scenario" --strategy "$strategy"
    bench "placement-$scenario-$strategy-5000" placement --nodes 5000 --containers 50 --scenario "$scenario" --strategy "$strategy"
  done
  bench "place-many-$strategy" place-many --nodes 1000 --requests 2000 --strategy "$strategy"
done
bench placement-many-sizes placement --nodes 1000 --containers 30 --sizes many
bench placement-plain-random-1000 placement --nodes 1000 --containers 30 --strategy random
bench placement-plain-busiest-1000 placement --nodes 1000 --containers 30 --strategy busiest
bench scaling scaling
[ "${1:-}" != --quick ] || exit 0

bench expressions expressions
bench coldstart coldstart
for strategy in spread binpack; do
  bench "contention-$strategy" contention --nodes 1000 --workers 128 --engine-latency-ms 300 --strategy "$strategy"
  bench "contention-own-views-$strategy" contention --nodes 1000 --workers 128 --engine-latency-ms 300 \
    --environments 0 --max-age-s 10 --strategy "$strategy"
done
bench contention-moto contention --store moto --nodes 20 --workers 8
bench fleet fleet --engines 1000 --requests 2000
bench reconcile reconcile --engines 1000
if [ "$(id -u)" != 0 ] || [ "$(uname)" != Linux ]; then
  echo "bench: create, overlay, networks and router are left out: they need root on Linux, for real engines"
  exit 0
fi
bench create create
bench overlay overlay --containers 300
bench networks networks
bench router router
