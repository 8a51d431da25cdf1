from __future__ import annotations

import json
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local import starter
from swarmkeeper.cli import containers, local_cloud
from swarmkeeper.cli.fleet import Fleet, FleetError
from swarmkeeper.cli.main import app

NODE = {
    "id": "i-1",
    "pool": "workers",
    "role": "worker",
    "state": "ready",
    "address": "10.0.0.1",
    "reserved": {"cpus": 0.5, "memory_bytes": 2**28},
    "capacity": {"cpus": 2, "memory_bytes": 2**30},
    "containers": 1,
    "reason": "",
}
CONTAINER = {"name": "web", "state": "running", "node": "i-1", "reason": "", "requested_at": 0.0}


class FakeFunctions:
    """A placement function that gives prepared answers and keeps the events."""

    def __init__(self, *answers: Mapping[str, object], error: str = "") -> None:
        self.events: list[Mapping[str, object]] = []
        self._answers = list(answers)
        self._error = error

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, object]:  # noqa: N803  AWS's names
        assert FunctionName == "demo-placement"
        self.events.append(json.loads(Payload))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        response: dict[str, object] = {"Payload": BytesIO(json.dumps(answer).encode())}
        return response | ({"FunctionError": self._error} if self._error else {})


def invoke(monkeypatch: pytest.MonkeyPatch, functions: FakeFunctions, *arguments: str) -> Result:
    monkeypatch.setattr(containers, "find_fleet", lambda name: Fleet("demo", functions))
    monkeypatch.setattr(containers, "PAUSE_S", 0.0)
    return CliRunner().invoke(app, list(arguments))


def test_run_sends_dockers_body_and_tells_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = FakeFunctions({"status": 201, "container": CONTAINER})
    done = invoke(monkeypatch, functions, "run", "web", "nginx", "--cpus", "0.5", "--movable")
    assert done.exit_code == 0
    assert done.stdout == "web: running on i-1\n"
    assert functions.events == [
        {
            "action": "create",
            "request": {
                "Name": "web",
                "Image": "nginx",
                "Env": [],
                "Labels": {"swarmkeeper.movable": "true"},
                "HostConfig": {"NanoCpus": 500_000_000, "Memory": 0},
            },
        }
    ]


def test_run_waits_until_the_container_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = CONTAINER | {"state": "pending", "node": None, "reason": "1 of 1 nodes: slots"}
    functions = FakeFunctions(
        {"status": 202, "container": waiting},
        {"status": 200, "containers": [waiting], "nodes": []},
        {"status": 200, "containers": [CONTAINER], "nodes": []},
    )
    done = invoke(monkeypatch, functions, "run", "web", "nginx", "--wait", "60", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["state"] == "running"


def test_a_pending_container_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = CONTAINER | {"state": "pending", "node": None, "reason": "1 of 1 nodes: slots"}
    done = invoke(monkeypatch, FakeFunctions({"status": 202, "container": waiting}), "run", "web", "nginx")
    assert done.exit_code == 0
    assert done.stdout == "web: pending (1 of 1 nodes: slots)\n"


def test_a_refused_request_names_its_field_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = {"status": 400, "error": {"field": "HostConfig.Memory", "message": "is negative"}}
    done = invoke(monkeypatch, FakeFunctions(refusal), "run", "web", "nginx")
    assert done.exit_code == 1
    assert done.stderr == "swarmkeeper: HostConfig.Memory: is negative (400)\n"


def test_a_wrong_size_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    done = invoke(monkeypatch, FakeFunctions({}), "run", "web", "nginx", "--memory", "lots")
    assert done.exit_code == 2
    assert "not a size" in done.stderr


def test_listings_are_tables_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = FakeFunctions({"status": 200, "containers": [CONTAINER], "nodes": [NODE]})
    listed = invoke(monkeypatch, functions, "ps").stdout.splitlines()
    assert listed[0].split() == ["NAME", "STATE", "NODE", "AGE", "REASON"]
    assert listed[1].split()[:3] == ["web", "running", "i-1"]
    nodes = invoke(monkeypatch, functions, "nodes").stdout
    assert "0.5 of 2 CPUs, 256 of 1024 MiB" in nodes


@pytest.mark.parametrize(("command", "expected"), [("ps", [CONTAINER]), ("nodes", [NODE])])
def test_listings_are_json_for_programs(monkeypatch: pytest.MonkeyPatch, command: str, expected: object) -> None:
    functions = FakeFunctions({"status": 200, "containers": [CONTAINER], "nodes": [NODE]})
    assert json.loads(invoke(monkeypatch, functions, command, "--json").stdout) == expected


def test_rm_removes_all_it_can_and_names_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = FakeFunctions({"status": 404, "error": {"message": "no such container"}}, {"status": 200})
    done = invoke(monkeypatch, functions, "rm", "a", "b")
    assert done.exit_code == 1
    assert done.stdout == "b\n"
    assert done.stderr == "swarmkeeper: a: no such container (404)\n"


def test_explain_prints_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = {"chosen": None, "text": "1 of 1 nodes: [slots]"}
    functions = FakeFunctions({"status": 200, "decision": decision})
    assert invoke(monkeypatch, functions, "explain", "web", "nginx").stdout == "1 of 1 nodes: [slots]\n"
    assert functions.events[0]["action"] == "explain"


def test_a_function_that_fails_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    crash = {"errorType": "Unavailable", "errorMessage": "table: no answer"}
    done = invoke(monkeypatch, FakeFunctions(crash, error="Unhandled"), "ps")
    assert done.exit_code == 1
    assert done.stderr == "swarmkeeper: demo-placement failed: Unavailable: table: no answer\n"


def test_without_a_fleet_the_commands_say_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str | None) -> Fleet:
        raise FleetError("no local cloud is running; name a fleet with --fleet or SWARMKEEPER_FLEET")

    monkeypatch.setattr(containers, "find_fleet", nowhere)
    done = CliRunner().invoke(app, ["ps"])
    assert done.exit_code == 1
    assert "--fleet" in done.stderr


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
