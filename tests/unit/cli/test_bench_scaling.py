from __future__ import annotations

import json

from typer.testing import CliRunner

from swarmkeeper.cli.main import app


def run(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["bench", "scaling", "--json", "--rounds", "1", *arguments])
    assert done.exit_code == 0, done.output
    told: dict[str, object] = json.loads(done.output)
    return told


def test_the_command_reports_what_a_decision_took_and_what_was_decided() -> None:
    told = run("--nodes", "10", "--containers", "100", "--pending", "60")
    assert (told["nodes"], told["pending"], told["pools"]) == (10, 60, 3)
    assert isinstance(told["cpu_s"], float)
    observation = told["observation"]
    assert isinstance(observation, dict)
    assert [each["Query"] for each in observation.values()] == [1 + 10, 1 + 10]  # each of ten nodes has changed
    decisions = told["decisions"]
    assert isinstance(decisions, list)
    assert [each["pool"] for each in decisions] == ["large", "small", "fast"]


def test_with_nothing_pending_it_looks_for_nodes_to_remove() -> None:
    removed = run("--nodes", "10", "--containers", "10", "--pending", "0", "--movable", "1")["removed"]
    assert isinstance(removed, dict)
    assert sum(removed.values()) > 0
