"""Nodes that leave though nobody is too many: operators' wishes, spot interruptions, rebalance recommendations."""

from __future__ import annotations

from dataclasses import replace
from threading import Barrier

import pytest

from swarmkeeper.domain.leaving import by_importance
from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Node, NodeId
from swarmkeeper.errors import Conflict
from swarmkeeper.ports import Event
from tests.fakes import a_request
from tests.unit.services.world import DRAIN_LIMIT_S, MANAGER, World

OLD, NEW = NodeId("i-0000000000000000a"), NodeId("i-0000000000000000b")
NOTICE_S = 120.0


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.fleet.set_desired("demo-workers", 2)
    world.with_worker(OLD)
    return world


def interrupt(world: World) -> None:
    by = world.clock.now() + NOTICE_S
    world.registrar.warned(OLD, LeaveCause.SPOT_INTERRUPTION, by=by, note="EC2 takes it back")


def test_an_operators_drain_begins_and_tells_who_must_know(world: World) -> None:
    node = world.departures.ask(OLD, LeaveCause.OPERATOR, note="by hand")
    assert node is not None
    assert (node.state, node.reason) == (NodeState.DRAINING, "by hand")
    assert world.events.of(Event.NODE_DRAINING) == [{"fleet": "demo", "node": OLD}]
    assert world.events.of(Event.CAPACITY_NEEDED) == [{"fleet": "demo"}]


def test_a_drain_that_was_asked_for_twice_is_told_once(world: World) -> None:
    world.departures.ask(OLD, LeaveCause.OPERATOR, note="by hand")
    world.departures.ask(OLD, LeaveCause.OPERATOR, note="by hand")
    assert len(world.events.of(Event.NODE_DRAINING)) == 1


def test_an_operators_drain_is_taken_back_and_moves_that_have_begun_are_undone(world: World) -> None:
    world.departures.ask(OLD, LeaveCause.OPERATOR, note="by hand")
    node = world.departures.take_back(OLD)
    assert node is not None
    assert (node.state, node.leaving, node.reason) == (NodeState.READY, None, "")
    assert world.events.of(Event.MEMBERSHIP_CHECK) == [{"fleet": "demo", "node": OLD}]
    assert world.events.of(Event.PENDING_RETRY) == [{"fleet": "demo"}], "its room is told of"


def test_what_ec2_takes_back_stays_drained(world: World) -> None:
    world.placer.create(a_request("web-1"))
    interrupt(world)
    with pytest.raises(Conflict, match="its instance ends"):
        world.departures.take_back(OLD)


def test_a_node_that_its_group_ends_meanwhile_stays_drained(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.departures.ask(OLD, LeaveCause.OPERATOR, note="by hand")
    hook = world.fleet.begin_termination(OLD)
    world.registrar.terminating(world.waiting(OLD, hook))
    with pytest.raises(Conflict, match="its instance ends"):
        world.departures.take_back(OLD)


def test_managers_are_not_drained(world: World) -> None:
    with pytest.raises(Conflict, match="manager"):
        world.departures.ask(MANAGER, LeaveCause.OPERATOR, note="by hand")


def test_a_node_that_joins_is_not_drained(world: World) -> None:
    world.store.save_node(replace(world.node(OLD), state=NodeState.JOINED))
    with pytest.raises(Conflict, match="joined"):
        world.departures.ask(OLD, LeaveCause.OPERATOR, note="by hand")


@pytest.mark.parametrize("node_id", [NEW, OLD])
def test_a_node_that_is_unknown_or_gone_is_none(world: World, node_id: NodeId) -> None:
    if node_id == OLD:
        world.store.bury_node(world.node(OLD), expires_at=2e9)
    assert world.departures.ask(node_id, LeaveCause.OPERATOR, note="by hand") is None
    assert world.departures.take_back(node_id) is None


def test_an_empty_node_that_an_operator_drains_goes_even_when_its_group_must_replace_it(world: World) -> None:
    world.fleet.add_group("demo-workers", min=1, max=4, desired=1)
    world.fleet.in_service("demo-workers", OLD)
    world.departures.ask(OLD, LeaveCause.OPERATOR, note="by hand")
    world.registrar.advance(OLD)
    assert (world.fleet.terminated, world.fleet.replaced) == ([], [OLD])


def test_a_weaker_cause_does_not_replace_a_stronger_one(world: World) -> None:
    world.placer.create(a_request("web-1"))
    interrupt(world)
    world.departures.ask(OLD, LeaveCause.REBALANCE, note="later")
    leaving = world.node(OLD).leaving
    assert leaving is not None
    assert leaving.cause is LeaveCause.SPOT_INTERRUPTION


def test_an_interruption_overtakes_a_drain_that_has_begun(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.departures.ask(OLD, LeaveCause.REBALANCE, note="soon")
    interrupt(world)
    leaving = world.node(OLD).leaving
    assert leaving is not None
    assert leaving.by == world.clock.now() + NOTICE_S


def test_an_interrupted_nodes_movable_containers_are_moved_at_once(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    interrupt(world)
    assert world.engines.running("web-1") == [NEW]
    assert world.fleet.terminated == [OLD]


def test_an_interrupted_node_waits_for_unmovable_containers_until_ec2_ends_it_and_no_longer(world: World) -> None:
    world.placer.create(a_request("web-1"))
    interrupt(world)
    world.clock.advance(NOTICE_S - 1)
    assert world.registrar.advance(OLD).more_to_do
    assert world.engines.running("web-1") == [OLD]
    world.clock.advance(1)
    world.registrar.advance(OLD)
    assert world.container("web-1").state is ContainerState.PENDING
    assert world.fleet.terminated == [OLD]


def test_an_interrupted_nodes_containers_move_side_by_side(world: World) -> None:
    names = [f"web-{number}" for number in range(4)]
    for name in names:
        world.placer.create(a_request(name, movable=True))
    world.with_worker(NEW)
    all_stop = Barrier(len(names), timeout=10)
    stop = world.engines.stop

    def stop_together(node: Node, name: ContainerName, *, network: str) -> None:
        all_stop.wait()  # broken, unless all of them are being stopped at this moment
        stop(node, name, network=network)

    world.engines.stop = stop_together  # type: ignore[method-assign]  # holds on
    interrupt(world)
    assert [world.engines.running(name) for name in names] == [[NEW]] * 4


def test_a_rebalance_recommendation_that_comes_to_nothing_ends_with_the_drains_limit(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.registrar.warned(OLD, LeaveCause.REBALANCE, by=None, note="EC2 recommends to replace it")
    assert world.node(OLD).state is NodeState.DRAINING
    world.clock.advance(DRAIN_LIMIT_S)
    world.registrar.advance(OLD)
    assert (world.node(OLD).state, world.node(OLD).leaving) == (NodeState.READY, None)


def test_a_node_past_its_lifetime_ends_at_the_drains_limit_with_what_it_holds(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.departures.ask(OLD, LeaveCause.LIFETIME, note="too old")
    world.clock.advance(DRAIN_LIMIT_S - 1)
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == [OLD]
    world.clock.advance(1)
    world.registrar.advance(OLD)
    assert world.container("web-1").state is ContainerState.PENDING
    assert world.fleet.terminated == [OLD]


def test_warnings_about_others_instances_are_ignored(world: World) -> None:
    for node_id in (NEW, MANAGER):
        progress = world.registrar.warned(node_id, LeaveCause.REBALANCE, by=None, note="")
        assert progress.detail.startswith("ignored")


def test_who_has_run_longest_is_moved_first() -> None:
    def container(name: str, started_at: float | None) -> Container:
        request = a_request(name, movable=True)
        return Container(request, ContainerState.RUNNING, 0, node=OLD, started_at=started_at)

    found = by_importance([container("b", 5), container("never", None), container("a", 5), container("old", 1)])
    assert [each.name for each in found] == ["old", "a", "b", "never"]
