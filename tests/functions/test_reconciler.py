"""The reconciler function: figures first, then nudges."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from functions.reconciler import handler as reconciler
from functions.reconciler.calls import summary_of
from functions.reconciler.wiring import Wired
from swarmkeeper.adapters.memory.tables import ChangeIndex
from swarmkeeper.domain.model import Lifetime, NodeId, PoolName
from swarmkeeper.errors import InvalidInput, Unavailable
from swarmkeeper.ports import RESERVATION_LEASE_S, Event
from swarmkeeper.services.slots import FIRST_MANAGER
from tests.fakes import a_request
from tests.functions.recorded import Context, recorded
from tests.unit.services.world import FLEET, MANAGER, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "demo")  # as the template does; it must not become a dimension
    world = World().with_manager()
    wired = Wired(world.reconciler, world.lifetimes, None, world.rebuild, world.slots, world.clock, FLEET)
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


def test_what_a_pool_holds_and_offers_is_kept_for_the_forecast(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    node = world.with_worker("i-0a")
    for number in range(3):
        world.placer.create(a_request(f"web-{number}", cpus=0.25, memory_mib=128))
    reconciler.handler(recorded("schedule"), Context())
    found = figures(capsys.readouterr().out)
    assert found["workers.ReservedCpus"] == [0.75]
    assert found["workers.ReservedMemory"] == [3 * 128 * 2**20]
    assert found["workers.ReservedContainers"] == [3.0]
    assert found["workers.OfferedCpus"] == [node.capacity.nano_cpus / 10**9]
    assert found["workers.OfferedMemory"] == [node.capacity.memory_bytes]


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


def test_every_workers_engine_is_compared_with_the_table_once_in_ten_minutes(world: World) -> None:
    for number in range(12):
        world.with_worker(f"i-{number:08x}")
    compared: list[str] = []
    for _ in range(10):
        world.events.published.clear()
        reconciler.handler(recorded("schedule"), Context())
        compared += [each["node"] for each in world.events.of(Event.INVENTORY_DUE)]
        world.clock.advance(60)
    assert sorted(compared) == [f"i-{number:08x}" for number in range(12)]


def test_what_somebody_works_on_is_not_asked_for_again_until_its_lease_is_over(world: World) -> None:
    world.with_worker("i-0a")
    world.reserver.reserve(a_request("web-1"))
    reconciler.handler(recorded("schedule"), Context())
    assert {"fleet": FLEET, "name": "web-1"} not in world.events.of(Event.PENDING_RETRY)
    world.clock.advance(RESERVATION_LEASE_S)
    reconciler.handler(recorded("schedule"), Context())
    assert {"fleet": FLEET, "name": "web-1"} in world.events.of(Event.PENDING_RETRY)


def test_a_container_whose_time_is_over_ends_even_when_no_manager_answers(world: World) -> None:
    world.with_worker("i-0a")
    world.placer.create(replace(a_request("web-1"), lifetime=Lifetime(running_s=60.0)))
    world.clock.advance(60)
    world.swarm.fail("nodes", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        reconciler.handler(recorded("schedule"), Context())
    assert world.store.containers() == ()


def test_a_rebuild_answers_with_what_it_found(world: World) -> None:
    node = world.with_worker("i-0a")
    world.placer.create(a_request("web-1"))
    world.store.stored.containers.clear()
    world.store.stored.held.clear()
    answer = reconciler.handler({"rebuild": True}, Context())
    assert answer is not None
    assert answer["follows"] == ""
    assert answer["nodes"][1] == {
        "id": node.id,
        "found": "already there",
        "detail": "ready",
        "containers": [{"name": "web-1", "found": "rebuilt", "detail": ""}],
    }
    assert json.loads(json.dumps(answer)) == answer
    assert world.container().engine_id
    again = world.rebuild.run(until=world.clock.now())
    assert summary_of(again) == {"nodes_there": 2, "containers_there": 1}


def test_a_rebuild_goes_on_after_what_the_answer_before_gave(world: World) -> None:
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    answer = reconciler.handler({"rebuild": True, "after": "worker/i-0a"}, Context())
    assert answer is not None
    assert [node["id"] for node in answer["nodes"]] == ["i-0b"]


@pytest.mark.parametrize("event", [{"rebuild": False}, {"rebuild": True, "before": ""}, {"rebuild": True, "after": 1}])
def test_a_malformed_call_is_refused_by_its_field(world: World, event: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        reconciler.handler(event, Context())


def test_an_empty_table_alone_makes_nobody_rebuild_it(world: World) -> None:
    world.with_worker("i-0a")
    world.store.stored.nodes.clear()
    world.store.changes = ChangeIndex()
    assert reconciler.handler(recorded("schedule"), Context()) is None
    assert world.store.stored.nodes == {}


def test_a_look_on_demand_answers_what_it_has_found(world: World) -> None:
    world.with_worker("i-0a")
    world.fleet.vanish(NodeId("i-0a"))
    answer = reconciler.handler({"reconcile": True}, Context())
    assert answer is not None
    assert answer["differences"] == {"node-without-instance": ["i-0a"]}
    assert answer["checked_nodes"] == ["i-0a"]
    assert answer["compared_engines"] == ["i-0a"]
    json.dumps(answer)


@pytest.mark.parametrize(("event", "field"), [({"reconcile": "yes"}, "reconcile"), ({"reconcile": True, "n": 1}, "n")])
def test_a_wrong_look_is_refused(world: World, event: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        reconciler.handler(event, Context())


def test_a_recovery_is_ordered_or_its_refusal_told(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    world.store.set_fact_once(FIRST_MANAGER, MANAGER)
    world.pools_with_slots = frozenset({PoolName("managers")})
    wired = Wired(world.reconciler, world.lifetimes, None, world.rebuild, world.slots, world.clock, FLEET)
    monkeypatch.setattr(reconciler, "wired", lambda: wired)
    told = reconciler.handler({"recover": "managers"}, Context())
    assert told is not None
    assert told["refused"].startswith(f"{MANAGER} is recorded as ready")
    world.fleet.vanish(MANAGER)
    assert reconciler.handler({"recover": "managers"}, Context()) == {"pool": "managers", "node": "", "refused": ""}
    assert world.store.fact(FIRST_MANAGER) == "recover/managers"
    told = reconciler.handler({"recover": "workers"}, Context())
    assert told is not None
    assert "workers keeps no state" in told["refused"]


def test_a_call_for_recovery_names_one_pool(world: World) -> None:
    with pytest.raises(InvalidInput):
        reconciler.handler({"recover": True}, Context())
