"""A node's health follows the contacts with its engine, and placement follows the health."""

from __future__ import annotations

import pytest

from swarmkeeper.domain.model import ContainerName, ContainerState, NodeId
from swarmkeeper.errors import Declined, Unavailable
from swarmkeeper.services.reconciler import INVENTORY_EVERY, TICK_S
from tests.fakes import a_request
from tests.unit.services.world import World

NODE = NodeId("i-0a")


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker(NODE, slots=None)
    return world


def health(world: World) -> int:
    return world.node(NODE).health


def test_three_failed_contacts_take_a_node_out_and_an_answer_brings_it_back(world: World) -> None:
    world.engines.on(NODE).reachable = False
    seen = []
    for _ in range(4):
        with pytest.raises(Unavailable):
            world.inventory.check(NODE)
        seen.append(health(world))
    assert seen == [67, 34, 0, 0]
    waiting = world.placer.create(a_request("web-1"))
    assert (waiting.state, "health" in waiting.reason) == (ContainerState.PENDING, True)

    world.engines.on(NODE).reachable = True
    world.inventory.check(NODE)
    assert health(world) == 100
    assert world.placer.create(a_request("web-1")).state is ContainerState.RUNNING


def test_a_placement_that_finds_its_engine_gone_or_silent_counts_as_a_failed_contact(world: World) -> None:
    world.engines.on(NODE).reachable = False
    world.placer.create(a_request("web-1"))
    assert health(world) == 67
    world.engines.on(NODE).reachable, world.engines.on(NODE).silent = True, True
    world.placer.create(a_request("web-2"))
    assert health(world) == 34
    world.engines.on(NODE).silent = False
    world.placer.create(a_request("web-3"))
    assert health(world) == 100


def test_an_engine_that_answers_with_a_failure_is_there(world: World) -> None:
    world.engines.fail("create", Declined("no space left on device"))
    world.placer.create(a_request("web-1"))
    assert health(world) == 100


def test_a_store_that_does_not_answer_says_nothing_of_the_engine(world: World) -> None:
    world.store.fail("confirm", Unavailable("the table does not answer"))
    world.placer.create(a_request("web-1"))
    assert health(world) == 100
    assert world.store.container(ContainerName("web-1"))


def looks(world: World, ticks: int) -> int:
    """At how many of the next ticks the node's engine is compared with the table."""
    found = 0
    for _ in range(ticks):
        world.clock.advance(TICK_S)
        found += NODE in world.reconciler.nudge().inventories
    return found


def test_a_node_of_lower_health_is_looked_at_with_every_tick(world: World) -> None:
    assert looks(world, INVENTORY_EVERY) == 1
    world.engines.on(NODE).reachable = False
    with pytest.raises(Unavailable):
        world.inventory.check(NODE)
    assert looks(world, INVENTORY_EVERY) == INVENTORY_EVERY
