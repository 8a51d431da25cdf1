from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from swarmkeeper.cli.main import app
from swarmkeeper.domain.placement.expressions import InvalidExpression
from swarmkeeper.edge.cases import cases_in, decision_of
from tests.conformance.data import CASES, lines_of


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    """What the command prints for every public case."""
    done = CliRunner().invoke(app, ["place", "--cases", str(CASES), "--json"])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_case_is_decided_as_the_real_scheduler_does(told: list[dict[str, Any]]) -> None:
    expected = lines_of(CASES)
    assert len(expected) == 1515
    wrong = [(case["id"], answer) for case, answer in zip(expected, told, strict=True) if not agrees(answer, case)]
    assert wrong == []


def test_every_answer_has_the_fields_that_programs_read(told: list[dict[str, Any]]) -> None:
    for answer in told:
        assert list(answer) == ["id", "node", "error", "pass", "message"]
        assert (answer["node"] is None) is not (answer["error"] is None)
        assert answer["message"]


def test_all_nodes_that_could_take_the_request_are_the_same_too() -> None:
    for case, expected in zip(cases_in(CASES), lines_of(CASES), strict=True):
        try:
            candidates = decision_of(case).candidates
        except InvalidExpression:
            candidates = ()
        ids = sorted(scored.node.id for scored in candidates)
        assert ids == expected.get("eligible", []), case.id


def agrees(answer: dict[str, Any], case: dict[str, Any]) -> bool:
    """Whether any of the right nodes, or the right category, was found in the right pass."""
    right = answer["node"] in case["expect"].get("nodes", [None])
    right_error = answer["error"] == case["expect"].get("error")
    return right and right_error and answer["id"] == case["id"] and answer["pass"] == case["decided_in_pass"]
