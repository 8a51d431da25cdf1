"""The contention benchmark counts what it says it counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.bench import app

BRIEF = ["--max-age-s", "0", "--engine-latency-ms", "1", "--store-latency-ms", "0.1", "--seconds", "0.1"]


def measure(*options: str) -> dict[str, Any]:
    outcome = CliRunner().invoke(app, ["contention", "--json", *BRIEF, *options])
    assert outcome.exit_code == 0, outcome.output
    measured: dict[str, Any] = json.loads(outcome.stdout)
    return measured


@pytest.mark.parametrize("strategy", ["spread", "binpack", "random"])
def test_many_functions_race_for_a_small_fleet_without_an_overcommit(strategy: str) -> None:
    measured = measure("--nodes", "2", "--workers", "8", "--environments", "0", "--strategy", strategy)
    assert measured["overcommitted"] == 0
    assert (measured["nodes"], measured["workers"], measured["environments"]) == (2, 8, 8)
    assert 0 < measured["created"] <= 60  # what both nodes hold
    assert measured["ideal_per_s"] == 8_000.0


def test_workers_may_share_a_function() -> None:
    measured = measure("--nodes", "9", "--workers", "4", "--environments", "2")
    assert (measured["environments"], measured["overcommitted"]) == (2, 0)
    assert {"creates_per_s", "lost_races", "conflicts", "p50_ms", "p99_ms", "cpu_s"} <= measured.keys()


def test_moto_takes_the_stores_place() -> None:
    measured = measure("--nodes", "2", "--workers", "2", "--environments", "2", "--store", "moto")
    assert (measured["store"], measured["store_latency_ms"], measured["overcommitted"]) == ("moto", None, 0)
