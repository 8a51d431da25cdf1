from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.bench import expressions
from swarmkeeper.cli.bench.expressions import Cost, adversarial, cost_of, summary
from swarmkeeper.cli.main import app


def test_an_accepted_expression_is_parsed_and_matched() -> None:
    cost = cost_of("/(a|b)*c/")
    assert cost.accepted
    assert cost.parse_ms > 0
    assert cost.match_ms > 0


def test_a_refused_expression_costs_its_refusal() -> None:
    cost = cost_of("/[/")
    assert not cost.accepted
    assert cost.parse_ms > 0
    assert cost.match_ms == 0


def test_the_summary_names_the_slowest_and_counts_those_above_the_limit() -> None:
    told = summary([Cost("fast", True, 1.0, 2.0), Cost("slow", True, 1.0, 11.0), Cost("bad", False, 3.0, 0.0)])
    assert (told["accepted"], told["refused"], told["over_limit"]) == (2, 1, 1)
    assert (told["worst_expression"], told["parse_ms_max"], told["match_ms_max"]) == ("slow", 3.0, 11.0)


def test_the_adversarial_ones_reach_every_limit() -> None:
    assert len(set(adversarial())) > 500


def test_the_command_reports_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "adversarial", lambda: iter(["ssd", "/[ab]*a[ab][ab]/", "/[/"]))
    monkeypatch.setattr(expressions, "LIMIT_MS", float("inf"))
    done = CliRunner().invoke(app, ["bench", "expressions", "--count", "3", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["accepted"] + told["refused"] == 6
