"""What the local cloud refuses before anything is started."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from swarmkeeper.cli.main import app
from tests.unit.edge.test_windows import IMAGE, PLAIN


def test_a_fleet_with_windows_nodes_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "swarmkeeper.yaml"
    path.write_text(PLAIN % ("", "m6i.large", IMAGE), encoding="utf-8")
    result = CliRunner().invoke(app, ["local", "up", "--settings", str(path)])
    assert result.exit_code == 1
    assert "no Windows nodes: leave out the pools desktops" in result.output
