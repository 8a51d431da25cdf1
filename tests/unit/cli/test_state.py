"""`swarmkeeper state rebuild`: shard after shard, and what it tells."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from swarmkeeper.cli import state
from swarmkeeper.cli.fleet import Fleet, FleetError
from swarmkeeper.cli.main import app


def a_node(node_id: str, found: str = "rebuilt", *containers: tuple[str, str, str]) -> dict[str, Any]:
    listed = [{"name": name, "found": kind, "detail": detail} for name, kind, detail in containers]
    return {"id": node_id, "found": found, "detail": "ready", "containers": listed}


@dataclass
class Functions:
    """Lambda with prepared answers of the reconciler."""

    answers: list[dict[str, Any]]
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, object]:  # noqa: N803  AWS's names
        self.asked.append((FunctionName, json.loads(Payload)))
        return {"Payload": io.BytesIO(json.dumps(self.answers.pop(0)).encode())}


def ran(monkeypatch: pytest.MonkeyPatch, functions: Functions, *arguments: str, command: str = "rebuild") -> Result:
    monkeypatch.setattr(state, "find_fleet", lambda name: Fleet(name or "demo", functions))
    return CliRunner().invoke(app, ["state", command, *arguments])


def test_shards_are_asked_for_until_none_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = Functions(
        [
            {"nodes": [a_node("i-0a", "rebuilt", ("web-1", "rebuilt", ""))], "follows": "worker/i-0a"},
            {"nodes": [a_node("i-0b", "already there", ("web-2", "already there", ""))], "follows": ""},
        ]
    )
    result = ran(monkeypatch, functions, "--json")
    assert result.exit_code == 0
    assert functions.asked == [
        ("demo-reconciler:live", {"rebuild": True, "after": ""}),
        ("demo-reconciler:live", {"rebuild": True, "after": "worker/i-0a"}),
    ]
    told = json.loads(result.stdout)
    assert [node["id"] for node in told["nodes"]] == ["i-0a", "i-0b"]
    assert told["counted_nodes"] == {"rebuilt": 1, "already there": 1}
    assert told["counted_containers"] == {"rebuilt": 1, "already there": 1}
    assert "waited" in told["lost"]


def test_what_could_not_be_recorded_stands_in_the_table_and_in_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    node = a_node("i-0a", "rebuilt", ("web-1", "rebuilt", ""), ("web-2", "duplicate", "it is running on i-0b [x]"))
    result = ran(monkeypatch, Functions([{"nodes": [node], "follows": ""}]))
    assert result.exit_code == 1
    assert "1 duplicate, 1 rebuilt" in result.stdout
    assert "web-2" in result.stdout
    assert "it is running on i-0b [x]" in result.stdout
    assert "web-1" not in result.stdout
    assert "asked for again" in result.stderr


def test_a_fleet_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_name: str | None) -> Fleet:
        raise FleetError("demo-reconciler failed: Unavailable: no manager answers")

    monkeypatch.setattr(state, "find_fleet", unreachable)
    result = CliRunner().invoke(app, ["state", "rebuild"])
    assert result.exit_code == 3
    assert "no manager answers" in result.stderr


def test_a_look_now_tells_what_differs_and_who_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {
        "differences": {"ghost-node": ["i-0a", "i-0b"], "stuck-pending": ["web-1"]},
        "checked_nodes": ["i-0a", "i-0b"],
        "retried_containers": [],
        "compared_engines": ["i-0c"],
    }
    functions = Functions([answer, answer])
    result = ran(monkeypatch, functions, command="reconcile")
    assert result.exit_code == 0
    assert functions.asked == [("demo-reconciler:live", {"reconcile": True})]
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["DIFFERENCE", "WHERE"],
        ["ghost-node", "i-0a", "i-0b"],
        ["stuck-pending", "web-1"],
    ]
    assert "2 nodes and 0 containers are looked at again, 1 engines compared" in result.stderr
    assert json.loads(ran(monkeypatch, functions, "--json", command="reconcile").stdout) == answer
