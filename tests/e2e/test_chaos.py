"""Faults on purpose, in short runs: all invariants held."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.chaos.faults import kinds_for
from local.starter import project_root

COMMAND = [sys.executable, "-c", "from swarmkeeper.cli.main import app; app(prog_name='swarmkeeper')"]
REAL_SEED, SEEDS = 31, (2674, 3131, 7874)
"""One plan of the latter takes a turn from the reconciler, they lose events for no longer than 44 s in all, and kill
their last engine early: a turn is a minute, and an engine's loss takes two or three, so the whole time would else be
theirs."""
EACH, AT_LEAST = 68, 200
DEADLINE_S = 900
"""For quiet, and half of it for somebody to hit; a busy machine needs more of it, an idle one a tenth."""
LIMIT_S = 2400


def chaos(engines: str, seed: int, folder: Path, *more: str) -> dict[str, Any]:
    """The report of a run that found nothing, with its logs beside it."""
    report = folder / f"{seed}.json"
    wanted = ["--engines", engines, "--seed", str(seed), "--deadline", str(DEADLINE_S), "--logs", str(folder), *more]
    done = subprocess.run(
        [*COMMAND, "chaos", *wanted, "--report", str(report)],
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    assert (folder / f"seed-{seed}" / "functions").is_dir()
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def check(report: dict[str, Any], planned: int) -> None:
    """No invariant was broken, all has healed, and the load was there."""
    assert len(report["faults"]) + len(report["not_injected"]) == planned
    assert all(fault["healed_s"] is not None for fault in report["faults"])
    found = {key: report[key] for key in ("violations", "containers_lost", "leaked_reservations", "ghosts", "unsure")}
    assert found == {key: [] for key in found}
    assert sum(report["requests"].values()) > planned / 2  # containers asked for, whatever became of them


@pytest.mark.e2e
def test_real_engines_heal_from_every_fault_with_no_invariant_broken(tmp_path: Path) -> None:
    report = chaos("real", REAL_SEED, tmp_path, "--faults", "8", "--mean-gap", "6", "--pause", "3")
    check(report, 8)
    assert len(report["faults"]) == 8


@pytest.mark.loop
def test_fleets_side_by_side_heal_from_two_hundred_faults_with_no_invariant_broken(tmp_path: Path) -> None:
    """Of several fleets each has its share at a pace that lets it heal, where one of them would have nobody to hit."""
    wanted = ("--faults", str(EACH), "--mean-gap", "1.4", "--workers", "8", "--pause", "1.5")
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        reports = list(pool.map(lambda seed: chaos("simulated", seed, tmp_path, *wanted), SEEDS))
    for report in reports:
        check(report, EACH)
    kinds = Counter(fault["kind"] for report in reports for fault in report["faults"])
    assert kinds.total() >= AT_LEAST
    assert set(kinds) == set(kinds_for("simulated", managers=1))
