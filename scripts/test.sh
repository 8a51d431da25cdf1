#!/usr/bin/env bash
# Runs all tests: the quick ones first, on each Python that setup has prepared, then those on real engines.
# Arguments are handed to every pytest run, e.g. scripts/test.sh -x -k placement
set -euo pipefail
cd "$(dirname "$0")/.."

readonly NO_TEST_COLLECTED=5
readonly FAULTS=tests/e2e/test_chaos.py
readonly SIDE_BY_SIDE=(-n auto --dist loadfile)    # files stay whole: their fixtures are made once

run() {
  local python=$1 status=0
  shift
  "$python" -m pytest "$@" || status=$?
  # Engine tests are deselected where real engines can't run, and -k may leave none.
  [ "$status" -eq 0 ] || [ "$status" -eq "$NO_TEST_COLLECTED" ] || exit "$status"
}

echo "== unit tests, $(.venv/bin/python --version)"
run .venv/bin/python "${SIDE_BY_SIDE[@]}" -m "not engine and not e2e and not loop" "$@"
if [ -x .venv313/bin/python ]; then
  native=0
  ! .venv313/bin/python -c 'import sys; from infra.native_imports import use; sys.exit(not use())' || native=1
  echo "== unit tests, $(.venv313/bin/python --version), placement as machine code: $native (1: yes, as in Lambda)"
  SWARMKEEPER_NATIVE=$native run .venv313/bin/python tests/unit tests/properties tests/contract tests/functions tests/conformance \
    "${SIDE_BY_SIDE[@]}" \
    -m "not engine and not e2e and not loop" "$@"
fi
if [ ! -x .venv313/bin/python ] && .venv/bin/python -c 'import sys; from infra.native_imports import use; sys.exit(not use())'; then
  echo "== placement as machine code, $(.venv/bin/python --version)"
  SWARMKEEPER_NATIVE=1 run .venv/bin/python tests/unit/domain tests/unit/edge tests/unit/services tests/properties tests/conformance \
    "${SIDE_BY_SIDE[@]}" -m "not engine and not e2e and not loop" "$@"
fi
mkdir -p build
rm -f build/calls.json
export SWARMKEEPER_RECORD_CALLS="$PWD/build/calls.json"    # what functions ask of AWS, for tests/infra/test_called.py
echo "== faults on purpose, on real engines and on simulated ones side by side, and nothing beside them"
run .venv/bin/python "$FAULTS" -n 2 --dist load --durations=0 "$@"
echo "== real engines; beside them the whole loop on simulated ones, whose results follow"
(run .venv/bin/python --ignore="$FAULTS" -m "loop and not alone" "$@") >build/test-loop.log 2>&1 &
loop=$!
trap 'kill $loop 2>/dev/null || :' EXIT
real=0
(run .venv/bin/python --ignore="$FAULTS" -m "engine or e2e or alone" --durations=20 "$@") || real=$?
simulated=0
wait $loop || simulated=$?
trap - EXIT
echo "== the whole loop on simulated engines"
cat build/test-loop.log
if [ -f build/calls.json ] && [ $# -eq 0 ]; then
  echo "== what functions asked of AWS, beside tests/data/calls.json"
  .venv/bin/python -m local.aws.recording build/calls.json tests/data/calls.json
fi
[ "$real" -eq 0 ] && [ "$simulated" -eq 0 ]
