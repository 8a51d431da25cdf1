"""The demo, as a user starts it: every check holds, and nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import lock
from local.starter import project_root

COMMAND = [sys.executable, "-c", "from swarmkeeper.cli.main import app; app(prog_name='swarmkeeper')"]
LIMIT_S = 600
STRETCHES = {"alarm_to_decision", "decision_to_instance", "instance_to_node_ready", "node_ready_to_first_placed"}
LINKS = {"alarm", "sns", "decision", "hook", "join", "ready"}


@pytest.mark.parametrize(
    ("engines", "runtime"),
    [
        pytest.param("simulated", "lambda", marks=[pytest.mark.loop, pytest.mark.alone]),
        pytest.param("real", "source", marks=pytest.mark.e2e),
    ],
)
def test_the_demo_holds_all_its_checks_and_leaves_nothing(engines: str, runtime: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--engines", engines, "--runtime", runtime, "--report", str(tmp_path)],
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert (report["engines"], report["runtime"]) == (engines, runtime)
    assert [check for check in report["checks"] if not check["ok"]] == []
    assert "nothing of ours is left on the machine" in {check["name"] for check in report["checks"]}
    assert set(report["times"]) >= STRETCHES
    joined = [chain for chain in report["chains"] if chain["kind"] == "joined"]
    assert joined
    assert all(set(chain) >= LINKS for chain in joined)
    assert report["series"][-1]["pending"] == 0
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert lock.holder(lock.default_lock_path()) is None
