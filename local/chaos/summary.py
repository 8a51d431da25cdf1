"""Sums reports of several runs up, as the tables that docs/reliability.md shows.

python -m local.chaos.summary docs/reliability/chaos-real-seed-*.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from local.chaos.report import Report, kinds

COUNTED = ("violations", "containers_lost", "leaked_reservations", "ghosts")


def read(paths: Iterable[Path]) -> list[Report]:
    """The reports in the order of their seeds."""
    reports: list[Report] = [json.loads(path.read_text()) for path in paths]
    return sorted(reports, key=lambda report: report["seed"])


def tables(reports: Sequence[Report]) -> str:
    """Two tables in Markdown: what each run has found, and how long each kind of fault took to heal, in seconds."""
    faults = [fault for report in reports for fault in report["faults"]]
    return "\n".join((*_of_runs(reports), "", *_of_kinds(faults)))


def _of_runs(reports: Sequence[Report]) -> list[str]:
    heads = [
        "seed",
        "mean gap",
        "faults",
        "found nothing to hit",
        "not healed",
        *(each.replace("_", " ") for each in COUNTED),
    ]
    return [*_head([*heads, "asked for", "at rest after"]), *(_row(_run(report)) for report in reports)]


def _run(report: Report) -> list[object]:
    unhealed = sum(fault["healed_s"] is None for fault in report["faults"])
    quiet = report["quiet_after_s"]
    return [
        report["seed"],
        f"{report['mean_gap_s']:g} s",
        len(report["faults"]),
        len(report["not_injected"]),
        unhealed,
        *(len(report[each]) for each in COUNTED),
        sum(report["requests"].values()),
        "never" if quiet is None else f"{quiet:.0f} s",
    ]


def _of_kinds(faults: Sequence[dict[str, Any]]) -> list[str]:
    found = kinds(faults)
    rows = [
        [f"`{kind}`", each["faults"], each["struck"], _seconds(each["median_s"]), _seconds(each["worst_s"])]
        for kind, each in found.items()
    ]
    return [*_head(["kind", "faults", "struck", "median", "worst"]), *map(_row, rows)]


def _head(names: Sequence[str]) -> list[str]:
    return [_row(names), "|" + "---|" * len(names)]


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _seconds(number: float | int | None) -> str:
    return "-" if number is None else f"{number:.0f}"


if __name__ == "__main__":
    sys.stdout.write(tables(read(map(Path, sys.argv[1:]))) + "\n")
