"""What the local cloud refuses before anything is started."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from swarmkeeper.cli.main import app
from tests.unit.edge.test_windows import IMAGE, PLAIN

DEMO = Path(__file__).parents[3] / "swarmkeeper.demo.yaml"


def test_a_fleet_with_windows_nodes_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "swarmkeeper.yaml"
    path.write_text(PLAIN % ("", "m6i.large", IMAGE), encoding="utf-8")
    result = CliRunner().invoke(app, ["local", "up", "--settings", str(path)])
    assert result.exit_code == 1
    assert "no Windows nodes: leave out the pools desktops" in result.output


def test_a_fleet_whose_stack_has_a_registrys_host_is_refused_with_the_reason(tmp_path: Path) -> None:
    images = f"{{registry: 'registry.example:5000', registry_host: 'registry.example/registry@sha256:{'a' * 64}'}}"
    path = tmp_path / "swarmkeeper.yaml"
    path.write_text(f"{DEMO.read_text(encoding='utf-8')}\nimages: {images}\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["local", "up", "--settings", str(path)])
    assert result.exit_code == 1
    assert "leave out images.registry_host" in result.output
