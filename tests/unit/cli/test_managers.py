"""`swarmkeeper managers recover`: what it asks, and what it says."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from swarmkeeper.cli import managers
from swarmkeeper.cli.fleet import Fleet
from swarmkeeper.cli.main import app
from tests.unit.cli.test_state import Functions

NODE = "i-00000000000000aaa"


def ran(monkeypatch: pytest.MonkeyPatch, functions: Functions, *options: str) -> Result:
    monkeypatch.setattr(managers, "find_fleet", lambda name: Fleet(name or "demo", functions))
    return CliRunner().invoke(app, ["managers", "recover", "manager-a", *options])


@pytest.mark.parametrize(
    ("node", "told"), [(NODE, f"{NODE} recovers the Swarm"), ("", "the next instance there recovers")]
)
def test_an_order_is_given_to_the_reconciler_and_says_who_carries_it_out(
    monkeypatch: pytest.MonkeyPatch, node: str, told: str
) -> None:
    functions = Functions([{"pool": "manager-a", "node": node, "refused": ""}])
    result = ran(monkeypatch, functions)
    assert functions.asked == [("demo-reconciler:live", {"recover": "manager-a"})]
    assert result.exit_code == 0
    assert told in " ".join(result.stdout.split())


def test_an_order_that_is_refused_says_why_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"pool": "manager-a", "node": "", "refused": f"{NODE} is recorded as ready; end its instance first"}
    result = ran(monkeypatch, Functions([answer]))
    assert result.exit_code == 1
    assert f"{NODE} is recorded as ready" in result.stderr
    result = ran(monkeypatch, Functions([answer]), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, answer)
