"""Reports are summed up as tables, and docs/reliability.md shows those of the reports that stand beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local.chaos.summary import read, tables
from local.starter import project_root

REPORTS = project_root() / "docs" / "reliability"
DOCUMENT = project_root() / "docs" / "reliability.md"
ENGINES = ("real", "simulated")


def reports_on(engines: str) -> list[Path]:
    return [path for path in REPORTS.glob(f"chaos-{engines}-seed-*.json") if not path.stem.endswith("before")]


def a_fault(kind: str, healed_s: float | None, *, struck: bool = True) -> dict[str, object]:
    return {"kind": kind, "struck": struck, "healed_s": healed_s}


def a_report(seed: int, *faults: dict[str, object], quiet_after_s: float | None = 30.0) -> dict[str, object]:
    none: list[str] = []
    counted = dict.fromkeys(("not_injected", "containers_lost", "leaked_reservations", "ghosts"), none)
    requests = {"accepted": 7, "removed": 5}
    return {"seed": seed, "mean_gap_s": 8.0, "faults": list(faults), "violations": ["one"], **counted} | {
        "requests": requests,
        "quiet_after_s": quiet_after_s,
    }


def test_runs_are_told_one_by_one_and_kinds_over_all_of_them(tmp_path: Path) -> None:
    second = a_report(2, a_fault("parted", 9.0), a_fault("parted", None), quiet_after_s=None)
    first = a_report(1, a_fault("parted", 3.0), a_fault("events-late", 0.0, struck=False))
    for name, report in (("a", second), ("b", first)):
        (tmp_path / name).write_text(json.dumps(report))
    rows = tables(read([tmp_path / "a", tmp_path / "b"])).splitlines()
    assert rows[2:4] == [
        "| 1 | 8 s | 2 | 0 | 0 | 1 | 0 | 0 | 0 | 12 | 30 s |",
        "| 2 | 8 s | 2 | 0 | 1 | 1 | 0 | 0 | 0 | 12 | never |",
    ]
    assert rows[7:] == ["| `events-late` | 1 | 0 | - | - |", "| `parted` | 3 | 3 | 6 | 9 |"]


@pytest.mark.parametrize("engines", ENGINES)
def test_the_page_shows_what_the_reports_say(engines: str) -> None:
    shown = re.search(rf"<!-- chaos-{engines} -->\n(.*?)<!-- end -->", DOCUMENT.read_text(), re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == tables(read(reports_on(engines)))
    assert reports_on(engines)
