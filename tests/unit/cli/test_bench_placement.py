"""The placement benchmark: its figures, its own checks, and fleets of any size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.bench import expressions
from swarmkeeper.cli.bench.scenarios import Scenario
from swarmkeeper.cli.main import app


def measured(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["bench", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@pytest.mark.parametrize("scenario", list(Scenario))
def test_every_decision_is_timed_and_one_in_a_hundred_is_made_by_the_plain_scheduler_too(scenario: Scenario) -> None:
    size = ("--nodes", "40", "--containers", "10", "--decisions", "400")
    figures = measured("placement", *size, "--scenario", scenario.value)
    assert (figures["checked"], figures["mismatched"]) == (4, 0)
    assert 0 < figures["p50_us"] <= figures["p99_us"] <= figures["max_us"]
    assert min(figures["decisions_per_s"], figures["cpu_us_per_decision"], figures["p99_cpu_us"], figures["rss_mb"]) > 0
    assert figures["failed"] <= 80


def test_a_fleet_smaller_than_a_block_of_decisions_is_measured_too() -> None:
    figures = measured("placement", "--nodes", "3", "--containers", "2", "--decisions", "30")
    assert (figures["checked"], figures["mismatched"]) == (10, 0)


def test_a_fleet_in_which_nothing_could_leave_is_refused() -> None:
    done = CliRunner().invoke(app, ["bench", "placement", "--nodes", "1", "--containers", "1"])
    assert done.exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("placement", "--nodes", "2", "--containers", "2", "--decisions", "2"),
        ("place-many", "--nodes", "2", "--containers", "2", "--requests", "2", "--rounds", "1"),
        ("expressions", "--count", "0"),
    ],
)
def test_figures_are_kept_in_a_file_where_one_is_named(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expressions, "LIMIT_MS", float("inf"))  # how fast this machine is now is another matter
    file = tmp_path / "some" / "figures.json"
    assert measured(*arguments, "--output", str(file)) == json.loads(file.read_text())
