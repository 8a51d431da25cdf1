"""Commands that need no fleet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from local import starter
from swarmkeeper.cli import local_cloud
from swarmkeeper.cli.main import app


def _commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


@pytest.mark.parametrize("path", list(_commands(get_command(app))), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0, done.exception
    assert "Usage:" in done.stdout


def test_a_published_ports_syntax_is_shown_as_it_is_typed() -> None:
    assert "[[IP:]HOST:]CONTAINER[/udp]" in CliRunner().invoke(app, ["run", "--help"]).stdout


def test_unknown_engines_are_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["local", "up", "--engines", "imaginary"]).exit_code == 2


def test_settings_that_are_not_there_are_named() -> None:
    done = CliRunner().invoke(app, ["local", "up", "--settings", "nowhere.yaml"])
    assert done.exit_code == 1
    assert "nowhere.yaml does not exist" in done.stderr


@pytest.mark.parametrize("command", [("local", "up"), ("demo",)])
def test_wrong_settings_are_refused_with_file_line_and_field_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(local_cloud.settings_file(None).read_text().replace("max: 4", "max: 0"))
    monkeypatch.setattr(starter, "up", lambda *_: pytest.fail("started"))
    done = CliRunner().invoke(app, [*command, "--settings", str(wrong)])
    assert done.exit_code == 1
    assert re.search(r"wrong\.yaml:\d+: pools\.workers\.min: 1 is above max 0", done.stderr)


def test_the_shipped_profile_is_used_where_no_settings_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert local_cloud.settings_file(None).name == "swarmkeeper.demo.yaml"


def test_chaos_runs_on_engines_that_there_are() -> None:
    refused = CliRunner().invoke(app, ["chaos", "--engines", "imaginary"])
    assert refused.exit_code == 2
    assert "real, simulated or auto" in refused.output
