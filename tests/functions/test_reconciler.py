"""The reconciler function: figures first, then nudges."""

from __future__ import annotations

import json

import pytest

from functions.reconciler import handler as reconciler
from functions.reconciler.wiring import Wired
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Event
from tests.fakes import a_request
from tests.functions.recorded import Context, recorded
from tests.unit.services.world import FLEET, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "demo")  # as the template does; it must not become a dimension
    world = World().with_manager()
    wired = Wired(world.reconciler, world.lifetimes, FLEET)
    monkeypatch.setattr(reconciler, "wired", lambda: wired)
    return world


def figures(text: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for line in text.splitlines():
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Dimensions"] == [["Fleet", "Pool"] if "Pool" in document else ["Fleet"]]
            for metric in directive["Metrics"]:
                found[f"{document.get('Pool', 'fleet')}.{metric['Name']}"] = document[metric["Name"]]
    return found


def test_the_fleets_figures_are_emitted_for_its_alarms(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.with_worker("i-0a")
    for number in range(5):
        world.placer.create(a_request(f"web-{number}"))
    reconciler.handler(recorded("schedule"), Context())
    found = figures(capsys.readouterr().out)
    assert found["fleet.PendingContainers"] == [1.0]
    assert found["workers.ReservedShare"] == [1.0]
    assert found["workers.ReadyNodes"] == [1.0]
    assert found["workers.PoolFailed"] == [0.0]


def test_a_pool_without_nodes_has_no_share(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    reconciler.handler(recorded("schedule"), Context())
    assert "workers.ReservedShare" not in figures(capsys.readouterr().out)


def test_what_waits_is_retried(world: World) -> None:
    world.placer.create(a_request("web-1"))
    reconciler.handler(recorded("schedule"), Context())
    assert {"fleet": FLEET} in world.events.of(Event.PENDING_RETRY)


def test_figures_and_checks_go_out_even_when_no_manager_answers(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.swarm.fail("nodes", Unavailable("no answer"))
    world.launch("i-0123456789abcdef0")
    with pytest.raises(Unavailable):
        reconciler.handler(recorded("schedule"), Context())
    assert "fleet.PendingContainers" in figures(capsys.readouterr().out)
    assert [each["node"] for each in world.events.of(Event.MEMBERSHIP_CHECK)] == ["i-0123456789abcdef0"]


def test_a_ghost_in_the_swarms_list_is_checked(world: World) -> None:
    world.swarm.join("i-0000000000000dead", ready=False)
    reconciler.handler(recorded("schedule"), Context())
    assert [each["node"] for each in world.events.of(Event.MEMBERSHIP_CHECK)] == ["i-0000000000000dead"]
