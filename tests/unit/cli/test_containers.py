"""The commands about containers: what they ask of the API, what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.awsrequest import AWSRequest
from typer.testing import CliRunner, Result

from swarmkeeper.cli import completion, containers, finding, nodes
from swarmkeeper.cli.api import Api, ApiError
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
WAITING = CONTAINER | {"state": "pending", "node": None, "reason": "1 of 1 nodes: containerslots"}
DECISION = {
    "chosen": "i-1",
    "text": "i-1 (weight 20, spread, best of 1); 1 of 2 nodes: resources",
    "candidates": [{"node": "i-1", "weight": 20}],
    "refused": {"i-2": {"reason": "resources", "detail": "wants 2 CPUs, has 1 free [of 2]"}},
}


@dataclass
class Asked:
    """One request as the API got it."""

    route: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: Any


@dataclass
class FakeApi:
    """Gives prepared answers, the last one again and again, and keeps what it was asked."""

    answers: list[tuple[int, object]]
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def send(self, request: AWSRequest) -> tuple[int, Mapping[str, str], bytes]:
        url = urlsplit(str(request.url))
        body = json.loads(request.data) if request.data else None
        headers = {str(name).lower(): str(value) for name, value in dict(request.headers).items()}
        self.asked.append(Asked(f"{request.method} {url.path}", parse_qsl(url.query), headers, body))
        status, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return status, self.headers, answer if isinstance(answer, bytes) else json.dumps(answer).encode()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "PAUSE_S", 0.0)


def invoke(monkeypatch: pytest.MonkeyPatch, fake: FakeApi, *arguments: str) -> Result:
    for module in (containers, nodes):
        monkeypatch.setattr(module, "find_api", lambda fleet, url: Api("https://api.example", fake.send))
    return CliRunner().invoke(app, list(arguments))


def answering(*answers: tuple[int, object], **headers: str) -> FakeApi:
    return FakeApi(list(answers), headers)


def test_run_sends_dockers_body_and_tells_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((201, CONTAINER))
    done = invoke(
        monkeypatch, fake, "run", "web", "nginx", "--cpus", "0.5", "--movable", "--idempotency-key", "k-1",
        "--affinity", "container!=web-*", "--constraint", "disk==ssd", "-e", "A=1", "--ttl", "12h", "--tenant", "acme",
        "--gpus", "1", "-p", "8080:80", "--", "sleep", "1",
    )  # fmt: skip
    assert (done.exit_code, done.stdout) == (0, "web: running on i-1\n")
    (asked,) = fake.asked
    assert asked.route == "POST /containers"
    assert asked.headers["idempotency-key"] == "k-1"
    assert asked.body == {
        "Name": "web",
        "Image": "nginx",
        "Env": ["A=1", "constraint:disk==ssd", "affinity:container!=web-*"],
        "Labels": {"swarmkeeper.movable": "true", "swarmkeeper.tenant": "acme", "swarmkeeper.ttl": "12h"},
        "HostConfig": {
            "NanoCpus": 500_000_000,
            "Memory": 0,
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
            "DeviceRequests": [{"Count": 1, "Capabilities": [["gpu"]]}],
        },
        "Cmd": ["sleep", "1"],
    }


def test_run_waits_until_the_container_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((202, WAITING), (200, WAITING), (200, CONTAINER))
    done = invoke(monkeypatch, fake, "run", "web", "nginx", "--wait", "60", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["state"] == "running"
    assert [each.route for each in fake.asked[1:]] == ["GET /containers/web"] * 2


def test_a_pending_container_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    done = invoke(monkeypatch, answering((202, WAITING)), "run", "web", "nginx")
    assert (done.exit_code, done.stdout) == (0, "web: pending (1 of 1 nodes: containerslots)\n")
    assert "runs as soon as a node can hold it" in done.stderr


@pytest.mark.parametrize(
    ("status", "problem", "told"),
    [
        pytest.param(
            400,
            {"detail": "is negative", "field": "HostConfig.Memory", "title": "x"},
            "swarmkeeper: HostConfig.Memory: is negative (400)\n",
            id="a field",
        ),
        pytest.param(403, {"message": "Forbidden"}, "swarmkeeper: Forbidden (403)\n", id="API Gateway's own"),
        pytest.param(502, b"<html>", "swarmkeeper: <html> (502)\n", id="not JSON"),
        pytest.param(500, [], "swarmkeeper: [] (500)\n", id="not an object"),
    ],
)
def test_a_refusal_is_told_and_fails(monkeypatch: pytest.MonkeyPatch, status: int, problem: object, told: str) -> None:
    done = invoke(monkeypatch, answering((status, problem)), "run", "web", "nginx")
    assert (done.exit_code, done.stderr) == (1, told)


def test_a_fleet_that_can_not_be_reached_has_an_exit_status_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(fleet: str | None, url: str | None) -> Api:
        raise ApiError("no local cloud is running; name a fleet with --fleet or SWARMKEEPER_FLEET, or give --api")

    monkeypatch.setattr(containers, "find_api", nowhere)
    done = CliRunner().invoke(app, ["ps"])
    assert done.exit_code == 3
    assert "--fleet" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("run", "web", "nginx", "--memory", "lots"), "not a size", id="size"),
        pytest.param(("run", "web", "nginx", "-p", "80/80/80"), "HOST:CONTAINER", id="port"),
        pytest.param(("explain", "web", "nginx", "--cpus", "many"), "not a number", id="cpus"),
        pytest.param(("ps", "--filter", "colour=red"), "state=", id="filter"),
        pytest.param(("logs", "web", "--tail", "0"), "greater than or equal to", id="no lines"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    fake = answering((200, {}))
    done = invoke(monkeypatch, fake, *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert fake.asked == []


def test_listings_are_tables_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = invoke(monkeypatch, answering((200, {"containers": [CONTAINER], "next": None})), "ps").stdout.splitlines()
    assert listed[0].split() == ["NAME", "STATE", "NODE", "AGE", "REASON"]
    assert listed[1].split()[:3] == ["web", "running", "i-1"]
    shown = invoke(monkeypatch, answering((200, {"nodes": [NODE]})), "nodes").stdout
    assert "0.5 of 2 CPUs, 256 of 1024 MiB" in shown


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        ("ps", {"containers": [CONTAINER], "next": None}, [CONTAINER]),
        ("nodes", {"nodes": [NODE]}, [NODE]),
        ("explain", DECISION, DECISION),
    ],
)
def test_results_are_json_for_programs(
    monkeypatch: pytest.MonkeyPatch, command: str, answer: object, expected: object
) -> None:
    arguments = ("web", "nginx") if command == "explain" else ()
    assert json.loads(invoke(monkeypatch, answering((200, answer)), command, *arguments, "--json").stdout) == expected


def test_ps_reads_all_pages_and_hands_its_filters_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering(
        (200, {"containers": [CONTAINER | {"name": "b"}], "next": "more="}),
        (200, {"containers": [CONTAINER | {"name": "a"}], "next": None}),
    )
    filters = ("--filter", "state=running", "--filter", "label=team=a b", "--tenant", "acme")
    done = invoke(monkeypatch, fake, "ps", "-q", *filters)
    assert done.stdout == "a\nb\n"
    wanted = [("state", "running"), ("label", "team=a b"), ("tenant", "acme"), ("limit", "500")]
    assert [each.query for each in fake.asked] == [wanted, [*wanted, ("next", "more=")]]


def test_rm_removes_all_it_can_and_names_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((404, {"detail": "there is no container a"}), (200, CONTAINER))
    done = invoke(monkeypatch, fake, "rm", "a", "b")
    assert done.exit_code == 1
    assert done.stdout == "b\n"
    assert done.stderr == "swarmkeeper: a: there is no container a (404)\n"


def test_logs_are_printed_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((200, b"\xff one\ntwo\n"))
    done = invoke(monkeypatch, fake, "logs", "web", "--tail", "2")
    assert done.stdout_bytes == b"\xff one\ntwo\n"
    assert (fake.asked[0].route, fake.asked[0].query) == ("GET /containers/web/logs", [("tail", "2")])


def test_logs_that_were_cut_say_so_beside_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    done = invoke(monkeypatch, answering((200, b"two\n"), **{"swarmkeeper-cut": "true"}), "logs", "web")
    assert "left out" in done.stderr


def test_explain_shows_the_nodes_and_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = invoke(monkeypatch, answering((200, DECISION)), "explain", "web", "nginx").stdout.splitlines()
    assert lines[0] == DECISION["text"]
    assert lines[1].split() == ["NODE", "WEIGHT", "REFUSED", "BY", "BECAUSE"]
    assert lines[2].split() == ["i-1", "20"]
    assert lines[3].split()[:2] == ["i-2", "resources"]
    assert "has 1 free [of 2]" in lines[3]


def test_explain_of_a_large_fleet_is_short_unless_all_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    many = DECISION | {"candidates": [{"node": f"i-{number}", "weight": 1} for number in range(100)]}
    short = invoke(monkeypatch, answering((200, many)), "explain", "web", "nginx").stdout
    assert "and 80 more nodes" in short
    whole = invoke(monkeypatch, answering((200, many)), "explain", "web", "nginx", "--all").stdout
    assert "i-99" in whole


def completed(monkeypatch: pytest.MonkeyPatch, incomplete: str) -> list[str]:
    """What a shell would offer after `swarmkeeper rm <incomplete>`."""
    variables = {
        "_SWARMKEEPER_COMPLETE": "complete_bash",
        "COMP_WORDS": f"swarmkeeper rm {incomplete}",
        "COMP_CWORD": "2",
    }
    done = CliRunner().invoke(app, [], env=variables, prog_name="swarmkeeper")
    return done.stdout.split()


def test_names_are_completed_by_asking_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((200, {"containers": [CONTAINER, CONTAINER | {"name": "web-2"}], "next": None}))
    monkeypatch.setattr(finding, "find_api", lambda *_, **__: Api("https://api.example", fake.send))
    assert completed(monkeypatch, "we") == ["web", "web-2"]
    assert ("name", "we") in fake.asked[0].query


def test_completion_is_silent_when_the_fleet_can_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> Api:
        raise ApiError("offline")

    monkeypatch.setattr(finding, "find_api", nowhere)
    assert completed(monkeypatch, "we") == []
    assert completion.LIMIT_S <= 2
