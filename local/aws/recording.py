"""What functions asked of AWS in many runs, kept in a file: `python -m local.aws.recording RUN KEPT` compares two.

A local cloud adds what its functions asked for to the file that SWARMKEEPER_RECORD_CALLS names, when it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.aws.asked import Asked

VARIABLE = "SWARMKEEPER_RECORD_CALLS"
Recorded = Mapping[str, frozenset[str]]
"""By the function's name without the fleet's: what it asked for, without the fleet's name too."""


def record(asked: Asked, fleet: str) -> None:
    """Add it to the file that the environment names, if it names one; several processes may do so at once."""
    if not (named := os.environ.get(VARIABLE)):
        return
    path = Path(named)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back with the file
        file.seek(0)
        text = together(_parsed(file.read() or "{}"), without_fleet(asked, fleet))
        file.seek(0)
        file.truncate()
        file.write(text)


def recorded(path: Path) -> Recorded:
    """What the file holds."""
    return _parsed(path.read_text(encoding="utf-8"))


def without_fleet(asked: Asked, fleet: str) -> Recorded:
    """The same for a fleet of any name."""
    name = re.compile(rf"(?<= ){re.escape(fleet)}[-/]|(?<= )/{re.escape(fleet)}/")
    return {
        function.removeprefix(f"{fleet}-"): frozenset(name.sub("", each) for each in calls)
        for function, calls in asked.items()
    }


def together(*all_of_them: Recorded) -> str:
    """All that any of them holds, as a file's text."""
    functions = sorted({function for each in all_of_them for function in each})
    merged = {
        function: sorted(frozenset[str]().union(*(each.get(function, ()) for each in all_of_them)))
        for function in functions
    }
    return json.dumps(merged, indent=2) + "\n"


def lacking(run: Recorded, kept: Recorded) -> list[str]:
    """What was kept and did not happen in that run, as lines."""
    return [f"{name}: {call}" for name, calls in kept.items() for call in sorted(calls - run.get(name, frozenset()))]


def main(arguments: Sequence[str]) -> int:
    """Say where a run's calls and the kept ones differ; nothing is refused, for rare paths are not in every run."""
    run, kept = (recorded(Path(each)) for each in arguments)
    for line in lacking(run, kept):
        print(f"kept, and not called in this run: {line}")
    for line in lacking(kept, run):
        print(f"called in this run, and not kept yet: {line}")
    return 0


def _parsed(text: str) -> Recorded:
    return {function: frozenset(calls) for function, calls in json.loads(text).items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
