"""The commands about scaling and protection: what they ask of the API, and what they print."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from swarmkeeper.cli import completion, finding, nodes, scaling
from swarmkeeper.cli.api import Api, ApiError
from swarmkeeper.cli.main import app
from tests.unit.cli.test_containers import NODE, FakeApi, answering

SUMMARY = {
    "id": "1795387200250-workers-0a1b2c3d",
    "at": 1_795_387_200.25,
    "pool": "workers",
    "trigger": "alarm demo-pending",
    "direction": "out",
    "desired": 3,
    "wish": 5,
    "guards": ["max"],
    "dry_run": False,
    "reason": "7 pending want 4 more nodes",
}
WHOLE = SUMMARY | {
    "victims": [],
    "reclaimed": ["i-0a"],
    "unplaceable": [{"name": "big-1", "reason": "resources", "detail": "wants 64 CPUs"}],
    "unplaceable_count": 3,
    "recheck_at": 1_795_387_260.0,
    "inputs": {"pending": 7, "cost": {"per_hour": 1.5}, "floors": [{"source": "schedule", "nodes": 2}], "nodes": []},
}


def invoke(monkeypatch: pytest.MonkeyPatch, fake: FakeApi, *arguments: str) -> Result:
    for module in (nodes, scaling):
        monkeypatch.setattr(module, "find_api", lambda fleet, url: Api("https://api.example", fake.send))
    return CliRunner().invoke(app, list(arguments), env={"TZ": "UTC"})


def page(*decisions: object, following: str | None = None) -> tuple[int, object]:
    return 200, {"decisions": list(decisions), "next": following}


def test_history_lists_the_newest_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering(page(SUMMARY, SUMMARY | {"direction": "none", "guards": [], "dry_run": True}))
    done = invoke(monkeypatch, fake, "scaling", "history", "--pool", "workers")
    heading, first, second = done.stdout.splitlines()
    assert heading.split()[:3] == ["WHEN", "POOL", "DECISION"]
    assert "out to 3" in first
    assert "alarm demo-pending" in first
    assert "stays at 3 (dry run)" in second
    (asked,) = fake.asked
    assert asked.route == "GET /scaling/decisions"
    assert ("pool", "workers") in asked.query


def test_history_reads_page_after_page_up_to_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering(page(SUMMARY, following=SUMMARY["id"].__str__()), page(SUMMARY, following="more"))
    done = invoke(monkeypatch, fake, "scaling", "history", "--most", "2", "--json")
    assert json.loads(done.stdout) == [SUMMARY, SUMMARY]
    assert [dict(each.query).get("next") for each in fake.asked] == [None, SUMMARY["id"]]


def test_a_time_that_is_none_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert invoke(monkeypatch, answering(page()), "scaling", "history", "--since", "yesterday").exit_code == 2


def test_explain_tells_all_of_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((200, WHOLE))
    done = invoke(monkeypatch, fake, "scaling", "explain", str(SUMMARY["id"]))
    for part in (
        "out to 3",
        "7 pending want 4 more nodes",
        "max",
        "i-0a",
        "big-1",
        "and 2 more",
        "cost.per_hour",
        "1.5",
    ):
        assert part in done.stdout
    assert "floors.1.source" in done.stdout
    assert fake.asked[0].route == f"GET /scaling/decisions/{SUMMARY['id']}"


def test_explain_without_an_id_tells_of_the_pools_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering(page(SUMMARY, following="more"), (200, WHOLE))
    done = invoke(monkeypatch, fake, "scaling", "explain", "--pool", "workers", "--json")
    assert json.loads(done.stdout) == WHOLE
    assert ("pool", "workers") in fake.asked[0].query
    assert fake.asked[1].route == f"GET /scaling/decisions/{SUMMARY['id']}"


def test_where_nothing_was_decided_explain_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    done = invoke(monkeypatch, answering(page()), "scaling", "explain", "--pool", "gpu")
    assert (done.exit_code, "nothing was decided about gpu" in done.stderr) == (1, True)


def test_a_decision_that_is_unknown_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((404, {"detail": "there is no decision x"}))
    done = invoke(monkeypatch, fake, "scaling", "explain", "x")
    assert (done.exit_code, "there is no decision x" in done.stderr) == (1, True)


@pytest.mark.parametrize(("word", "method"), [("protect", "PUT"), ("unprotect", "DELETE")])
def test_a_node_is_protected_and_unprotected(monkeypatch: pytest.MonkeyPatch, word: str, method: str) -> None:
    fake = answering((200, NODE))
    done = invoke(monkeypatch, fake, "nodes", word, "i-1")
    assert (done.exit_code, fake.asked[0].route) == (0, f"{method} /nodes/i-1/protection")
    assert "protected from scale-in" in done.stdout


@pytest.mark.parametrize(("word", "method", "state"), [("drain", "PUT", "draining"), ("undrain", "DELETE", "ready")])
def test_a_node_is_drained_and_serves_on(monkeypatch: pytest.MonkeyPatch, word: str, method: str, state: str) -> None:
    fake = answering((200, NODE | {"state": state}))
    done = invoke(monkeypatch, fake, "nodes", word, "i-1")
    assert (done.exit_code, fake.asked[0].route) == (0, f"{method} /nodes/i-1/drain")
    assert f"i-1 is {state}" in done.stdout


def test_the_list_of_nodes_shows_which_are_protected(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = answering((200, {"nodes": [NODE | {"protected": True, "reason": "old"}]}))
    assert "protected; old" in invoke(monkeypatch, fake, "nodes").stdout


class Context:
    """What completion reads of a command line."""

    def __init__(self) -> None:
        self.params: dict[str, str] = {}


@pytest.mark.parametrize(
    ("complete", "answer", "expected"),
    [
        (completion.node_names, (200, {"nodes": [NODE, NODE | {"id": "j-1"}]}), ["i-1"]),
        (completion.pool_names, (200, {"nodes": [NODE | {"pool": "i-pool"}, NODE]}), ["i-pool"]),
        (completion.decision_names, page(SUMMARY | {"id": "i-x"}, SUMMARY), ["i-x"]),
    ],
)
def test_names_are_completed(
    monkeypatch: pytest.MonkeyPatch, complete: object, answer: tuple[int, object], expected: list[str]
) -> None:
    fake = answering(answer)
    monkeypatch.setattr(finding, "find_api", lambda *_, **__: Api("https://api.example", fake.send))
    assert callable(complete)
    assert complete(Context(), "i") == expected


def test_without_a_fleet_nothing_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> Api:
        raise ApiError("no fleet")

    monkeypatch.setattr(finding, "find_api", unreachable)
    assert completion.node_names(Context(), "i") == []  # type: ignore[arg-type]  # as much of it as is read
