"""A move waits for its image on the target, and turns away from a node that can't get it."""

from __future__ import annotations

import pytest

from swarmkeeper.domain.model import ContainerState
from swarmkeeper.ports import Command, CommandStatus
from tests.fakes import a_request
from tests.unit.services.world import IMAGE, World


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker("i-0a")
    for name in ("web-1", "web-2"):
        world.placer.create(a_request(name, movable=True))
    world.with_worker("i-0b")
    world.engines.on("i-0b").images.clear()
    return world


def move(world: World, name: str = "web-1") -> str:
    return world.mover.move(world.container(name), world.node("i-0a")).detail


def test_moves_that_need_one_image_on_one_node_share_its_pull(world: World) -> None:
    details = [move(world, name) for name in ("web-1", "web-2", "web-1")]
    assert all("is being pulled on i-0b" in each for each in details)
    assert len(world.commands.sent) == 1


def test_a_move_goes_on_once_its_image_is_there(world: World) -> None:
    move(world)
    world.engines.pull("i-0b", IMAGE)
    assert move(world) == "i-0a -> i-0b"


def test_a_move_whose_image_can_not_be_had_there_is_undone(world: World) -> None:
    move(world)
    world.commands.finish(world.commands.last(Command.PULL).id, error="no space left", status=CommandStatus.FAILED)
    assert "no space left" in move(world)
    container = world.container()
    assert (container.state, container.moving_to) == (ContainerState.RUNNING, None)
    assert world.engines.running("web-1") == ["i-0a"]
    assert world.node("i-0b").containers == 0
