"""Owners of what can't be moved are told when its node is to go, and when its time is up; once a drain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.adapters.aws.node_items import node_from, node_item
from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import ContainerState, NodeId, Notice
from swarmkeeper.errors import NodeChanged, Unavailable
from swarmkeeper.ports import Event
from swarmkeeper.services.notices import TELLING_S
from tests.fakes import a_request
from tests.unit.services.world import DRAIN_LIMIT_S, World

OLD, NEW = NodeId("i-0000000000000000a"), NodeId("i-0000000000000000b")


@pytest.fixture
def world() -> World:
    """A worker with an unmovable container, which its group may end."""
    world = World().with_manager()
    world.fleet.set_desired("demo-workers", 2)
    world.with_worker(OLD)
    world.placer.create(replace(a_request("web-1"), tenant="acme"))
    return world


def drain(world: World, cause: LeaveCause = LeaveCause.OPERATOR, *, by: float | None = None) -> None:
    world.departures.ask(OLD, cause, note="to go", by=by)
    world.registrar.advance(OLD)


def told(world: World, event: Event = Event.CONTAINER_DRAINING) -> list[dict[str, str]]:
    return world.events.of(event)


def test_a_drain_tells_whose_container_is_waited_for_and_until_when(world: World) -> None:
    drain(world)
    (detail,) = told(world)
    until = detail.pop("until")
    assert until.endswith("+00:00")
    assert detail == {
        "fleet": "demo",
        "node": OLD,
        "pool": "workers",
        "name": "web-1",
        "tenant": "acme",
        "cause": "operator",
        "then": "serves-on",
    }


def test_it_is_told_once_however_often_the_drain_is_gone_on_with(world: World) -> None:
    drain(world)
    for _ in range(3):
        world.registrar.advance(OLD)
    assert len(told(world)) == 1


def test_movable_containers_are_moved_and_nobody_is_told(world: World) -> None:
    world.placer.create(a_request("web-2", movable=True))
    drain(world)
    assert [detail["name"] for detail in told(world)] == ["web-1"]


def test_each_drain_is_told_anew(world: World) -> None:
    drain(world)
    world.departures.take_back(OLD)
    drain(world)
    assert len(told(world)) == 2


def test_a_stronger_cause_with_less_time_is_told_too(world: World) -> None:
    drain(world)
    drain(world, LeaveCause.SPOT_INTERRUPTION, by=world.clock.now() + 120)
    assert [(detail["cause"], detail["then"]) for detail in told(world)] == [
        ("operator", "serves-on"),
        ("spot-interruption", "ends"),
    ]
    assert told(world)[1]["until"] < told(world)[0]["until"]


def test_what_the_limit_takes_is_told_lost_once(world: World) -> None:
    hook = world.fleet.begin_termination(OLD)
    world.registrar.terminating(world.waiting(OLD, hook))
    world.clock.advance(DRAIN_LIMIT_S)
    world.engines.fail("remove", Unavailable("busy"))
    with pytest.raises(Unavailable):
        world.registrar.advance(OLD)
    world.registrar.advance(OLD)
    assert [(detail["name"], detail["cause"]) for detail in told(world, Event.CONTAINER_LOST)] == [
        ("web-1", "ended-by-its-group")
    ]
    assert world.container().state is ContainerState.PENDING


def test_what_was_told_lost_is_not_told_again_when_its_instance_ends_meanwhile(world: World) -> None:
    drain(world, LeaveCause.SPOT_INTERRUPTION, by=world.clock.now() + 120)
    world.clock.advance(120)
    world.engines.fail("remove", Unavailable("it is shutting down"))
    with pytest.raises(Unavailable):
        world.registrar.advance(OLD)
    world.fleet.vanish(OLD)
    world.swarm.go_down(OLD)
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.GONE
    assert len(told(world, Event.CONTAINER_LOST)) == 1


def test_a_drain_that_is_given_up_loses_nothing(world: World) -> None:
    drain(world)
    world.clock.advance(DRAIN_LIMIT_S)
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.READY
    assert told(world, Event.CONTAINER_LOST) == []


def test_a_bus_that_refuses_is_tried_again_at_once(world: World) -> None:
    world.departures.ask(OLD, LeaveCause.OPERATOR, note="to go")
    world.events.fail("publish", Unavailable("throttled"))
    with pytest.raises(Unavailable):
        world.registrar.advance(OLD)
    world.registrar.advance(OLD)
    assert len(told(world)) == 1


def claimed(world: World) -> None:
    """A call has claimed to tell, and has not told."""
    world.departures.ask(OLD, LeaveCause.OPERATOR, note="to go")
    node = world.node(OLD)
    assert node.leaving is not None
    claim = Notice(Event.CONTAINER_DRAINING, world.clock.now() + TELLING_S)
    world.store.save_node(replace(node, leaving=replace(node.leaving, notices=(claim,))))


def test_while_another_call_tells_it_nobody_else_does(world: World) -> None:
    claimed(world)
    world.registrar.advance(OLD)
    assert told(world) == []


def test_what_a_call_that_died_has_not_told_is_told_after_a_while(world: World) -> None:
    claimed(world)
    world.clock.advance(TELLING_S)
    world.registrar.advance(OLD)
    assert len(told(world)) == 1


def test_of_two_calls_that_begin_at_once_one_tells(world: World) -> None:
    world.departures.ask(OLD, LeaveCause.OPERATOR, note="to go")
    seen, held = world.node(OLD), world.store.containers_on(OLD)
    world.notices.of_wait(seen, held, until=world.clock.now(), ends=False)
    with pytest.raises(NodeChanged):
        world.notices.of_wait(seen, held, until=world.clock.now(), ends=False)
    assert len(told(world)) == 1


def test_notices_outlive_the_function(world: World) -> None:
    drain(world)
    node = world.node(OLD)
    assert node.leaving is not None
    assert node.leaving.notices == (Notice(Event.CONTAINER_DRAINING, None),)
    assert node_from(node_item(node)).leaving == node.leaving
