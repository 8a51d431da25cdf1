"""Moves by several calls at once: who moves a container has it to itself."""

from __future__ import annotations

import pytest

from swarmkeeper.domain.model import Container, ContainerName
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import RESERVATION_LEASE_S
from tests.fakes import a_request
from tests.fakes.builders import a_limit
from tests.unit.services.world import World

OLD, NEW = "i-0a", "i-0b"
WEB = ContainerName("web-1")


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker(OLD)
    world.placer.create(a_request(WEB, movable=True))
    world.with_worker(NEW)
    return world


def stored(world: World) -> Container:
    container = world.store.container(WEB)
    assert container is not None
    return container


def cut_off(world: World) -> None:
    """A call has begun a move and died, or is at it."""
    container, target = stored(world), world.node(NEW)
    lease_until = world.clock.now() + RESERVATION_LEASE_S
    world.store.begin_move(container, target, a_limit(target, container.request), lease_until=lease_until)


def test_a_move_that_another_call_is_at_is_left_to_it(world: World) -> None:
    cut_off(world)
    before = stored(world)
    assert "another call" in world.mover.move(before, world.node(OLD)).detail
    with pytest.raises(Unavailable):
        world.mover.undo(before, world.node(OLD))
    assert stored(world) == before
    assert world.engines.running(WEB) == [OLD]


def test_a_move_whose_call_died_is_gone_on_with_after_its_lease(world: World) -> None:
    cut_off(world)
    world.clock.advance(RESERVATION_LEASE_S)
    assert world.mover.move(stored(world), world.node(OLD)).moved
    assert world.engines.running(WEB) == [NEW]


def test_a_moved_container_is_leased_by_nobody(world: World) -> None:
    world.mover.move(stored(world), world.node(OLD))
    assert (stored(world).node, stored(world).lease_until) == (NEW, 0.0)
    world.placer.remove(WEB)
    assert world.store.container(WEB) is None


@pytest.mark.parametrize("method", ["create", "stop", "start"])
def test_after_an_obstacle_the_next_call_need_not_wait(world: World, method: str) -> None:
    world.engines.fail(method, Unavailable("no answer"))
    assert not world.mover.move(stored(world), world.node(OLD)).moved
    assert world.mover.move(stored(world), world.node(OLD)).moved
    assert world.engines.running(WEB) == [NEW]
