"""Faults on purpose, in short runs: all invariants held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.main import app


@pytest.mark.parametrize(
    ("engines", "faults", "mean_gap"),
    [
        pytest.param("simulated", 24, 3, marks=pytest.mark.loop),
        pytest.param("real", 8, 6, marks=pytest.mark.e2e),
    ],
)
def test_a_fleet_heals_from_every_fault_with_no_invariant_broken(
    engines: str, faults: int, mean_gap: int, tmp_path: Path
) -> None:
    written = tmp_path / "report.json"
    wanted = ["--faults", str(faults), "--seed", "5", "--mean-gap", str(mean_gap), "--deadline", "400"]
    wanted += ["--logs", str(tmp_path)]
    run = CliRunner().invoke(app, ["chaos", "--engines", engines, "--json", *wanted, "--report", str(written)])
    assert run.exit_code == 0, run.output
    report = json.loads(written.read_text())
    assert len(report["faults"]) + len(report["not_injected"]) == faults
    assert len(report["faults"]) >= faults * 3 // 4
    assert all(fault["healed_s"] is not None for fault in report["faults"])
    found = {key: report[key] for key in ("violations", "containers_lost", "leaked_reservations", "ghosts", "unsure")}
    assert found == {key: [] for key in found}
    assert (tmp_path / "seed-5" / "functions").is_dir()
    assert sum(report["requests"].values()) > faults  # containers asked for, whatever became of them
