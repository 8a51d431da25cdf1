"""Faults on purpose: a short run on simulated engines, all invariants held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.main import app


@pytest.mark.loop
def test_a_fleet_heals_from_a_dozen_faults_with_no_invariant_broken(tmp_path: Path) -> None:
    written = tmp_path / "report.json"
    wanted = ["--faults", "12", "--seed", "5", "--mean-gap", "3", "--deadline", "300", "--report", str(written)]
    run = CliRunner().invoke(app, ["chaos", "--engines", "simulated", "--json", *wanted])
    assert run.exit_code == 0, run.output
    report = json.loads(written.read_text())
    assert len(report["faults"]) == 12
    assert all(fault["healed_s"] is not None for fault in report["faults"])
    found = {key: report[key] for key in ("violations", "containers_lost", "leaked_reservations", "ghosts", "unsure")}
    assert found == {key: [] for key in found}
    assert report["requests"]["accepted"] > 12
