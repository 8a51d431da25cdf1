"""What stood on a node that ends is neither lost nor kept, whoever works on it at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from swarmkeeper.adapters.memory.operations import Operation
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, NodeId
from swarmkeeper.errors import Conflict, Declined, ImageMissing, InvalidInput, Unavailable
from swarmkeeper.services.eviction import TRIES, Evictor
from tests.fakes import a_request
from tests.fakes.builders import a_limit
from tests.unit.services.world import World

NODE, OTHER = NodeId("i-0a"), NodeId("i-0b")
WEB = ContainerName("web-1")


@pytest.fixture
def world() -> World:
    """A container runs on one of two nodes."""
    world = World().with_manager()
    world.with_worker(NODE)
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(OTHER)
    return world


def evictor(world: World) -> Evictor:
    return Evictor(store=world.store, engines=world.engines, fleet=world.fleet, mover=world.mover)


def meanwhile(world: World, change: Callable[[Container], object], times: int = 1) -> None:
    """Somebody else writes the record just before it is taken off its node, so many times."""
    left = [times]

    def before(operation: Operation) -> None:
        if operation.name == "unplace" and left[0]:
            left[0] -= 1
            world.store.before = lambda _: None
            change(world.container())
            world.store.before = before

    world.store.before = before


def evict(world: World, way: str) -> None:
    getattr(evictor(world), way)(world.node(NODE))


WAYS = pytest.mark.parametrize("way", ["take_off", "forget"])
WRITES = pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda store, now: store.lease(now, until=10.0**10), id="leased"),
        pytest.param(lambda store, now: store.explain(now, reason="its engine does not answer"), id="explained"),
    ],
)


@WAYS
@WRITES
def test_one_that_another_call_has_just_written_waits_for_another_node(
    world: World, way: str, write: Callable[..., object]
) -> None:
    meanwhile(world, lambda now: write(world.store, now))
    evict(world, way)
    container = world.container()
    assert (container.state, container.node) == (ContainerState.PENDING, None)
    assert world.node(NODE).containers == 0
    assert (WEB in world.engines.on(NODE).containers) is (way == "forget")  # there the engine is gone with its instance


@WAYS
def test_one_whose_removal_is_asked_for_meanwhile_is_removed(world: World, way: str) -> None:
    meanwhile(world, world.store.begin_removal)
    evict(world, way)
    assert world.store.container(WEB) is None
    assert world.node(NODE).containers == 0


@WAYS
def test_one_that_keeps_changing_is_left_to_a_later_call(world: World, way: str) -> None:
    meanwhile(world, lambda now: world.store.explain(now, reason=f"try {now.version}"), times=TRIES)
    with pytest.raises(Unavailable, match="web-1 on i-0a keeps changing"):
        evict(world, way)
    assert world.container().node == NODE
    evict(world, way)
    assert world.container().state is ContainerState.PENDING


@WAYS
@pytest.mark.parametrize("ending", ["source", "target"])
def test_a_removal_in_the_middle_of_a_move_takes_both_copies(world: World, way: str, ending: str) -> None:
    container, target = world.container(), world.node(OTHER)
    moving = world.store.begin_move(container, target, a_limit(target, container.request))
    world.engines.create(target, container.request)
    world.store.begin_removal(moving)
    ends, stays = (NODE, OTHER) if ending == "source" else (OTHER, NODE)
    getattr(evictor(world), way)(world.node(ends))
    assert world.store.container(WEB) is None
    assert WEB not in world.engines.on(stays).containers
    assert (world.node(NODE).containers, world.node(OTHER).containers) == (0, 0)


@pytest.mark.parametrize("first", ["source", "target"])
def test_a_removal_in_the_middle_of_a_move_ends_with_both_nodes(world: World, first: str) -> None:
    world.store.begin_removal(moving(world))
    for node_id in (NODE, OTHER):
        end(world, node_id)
    for node_id in (NODE, OTHER) if first == "source" else (OTHER, NODE):
        evictor(world).forget(world.node(node_id))
    assert world.store.container(WEB) is None
    assert (world.node(NODE).containers, world.node(OTHER).containers) == (0, 0)


def test_one_that_waits_for_another_node_keeps_none_of_its_neighbours(world: World) -> None:
    world.store.begin_removal(moving(world))
    world.store.save_node(replace(world.node(OTHER), state=NodeState.DRAINING))
    world.placer.create(a_request("web-2", movable=True))
    world.engines.lose(OTHER)
    world.fleet.vanish(NODE)
    with pytest.raises(Unavailable):
        evictor(world).forget(world.node(NODE))
    assert world.container().state is ContainerState.REMOVING
    assert world.container("web-2").state is ContainerState.PENDING


def moving(world: World, *, copied: bool = True) -> Container:
    """The container is on its way from NODE to OTHER."""
    container, target = world.container(), world.node(OTHER)
    found = world.store.begin_move(container, target, a_limit(target, container.request))
    if copied:
        world.engines.create(target, container.request)
    return found


def end(world: World, node_id: NodeId) -> None:
    """Its instance is gone, and its engine answers nobody."""
    world.fleet.vanish(node_id)
    world.engines.lose(node_id)


def test_one_that_was_moving_runs_at_its_target_when_its_node_ends(world: World) -> None:
    moving(world)
    end(world, NODE)
    evict(world, "forget")
    container = world.container()
    assert (container.state, container.node, container.moving_to) == (ContainerState.RUNNING, OTHER, None)
    assert world.engines.running(WEB) == [OTHER]


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("create", ImageMissing("not pulled yet")),
        ("create", Conflict("another has the name")),
        ("create", InvalidInput("Cmd", "can't be run")),
        ("start", Declined("no such network yet")),
    ],
)
def test_one_whose_target_can_not_run_it_waits_for_any_node(world: World, method: str, answer: Exception) -> None:
    moving(world, copied=method == "start")
    end(world, NODE)
    world.engines.fail(method, answer)
    evict(world, "forget")
    container = world.container()
    assert (container.state, container.node, container.moving_to) == (ContainerState.PENDING, None, None)
    assert (world.node(NODE).containers, world.node(OTHER).containers) == (0, 0)
    assert WEB not in world.engines.on(OTHER).containers


def test_one_whose_target_does_not_answer_is_waited_for(world: World) -> None:
    moving(world)
    end(world, NODE)
    world.engines.on(OTHER).reachable = False
    with pytest.raises(Unavailable):
        evict(world, "forget")
    assert world.container().moving_to == OTHER


@pytest.mark.parametrize("first", [NODE, OTHER])
def test_two_nodes_that_end_at_once_do_not_wait_for_each_other(world: World, first: NodeId) -> None:
    moving(world)
    end(world, NODE)
    end(world, OTHER)
    second = OTHER if first == NODE else NODE
    for node_id in (first, second):
        evictor(world).forget(world.node(node_id))
    container = world.container()
    assert (container.state, container.node, container.moving_to) == (ContainerState.PENDING, None, None)
    assert (world.node(NODE).containers, world.node(OTHER).containers) == (0, 0)
