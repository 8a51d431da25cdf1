"""While the Swarm has no leader nothing on an overlay can start: creates wait with that reason, and run afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import ContainerState, NodeId
from swarmkeeper.errors import Declined, Unavailable
from swarmkeeper.ports import RESERVATION_LEASE_S
from tests.fakes import a_request
from tests.unit.services.test_managers import SECOND, THIRD, come_back, fall_silent, with_managers
from tests.unit.services.world import World

NODES = [NodeId("i-0000000000000000a"), NodeId("i-0000000000000000f")]
NO_LEADER = "the Swarm has no leader: no container on an overlay network can start"
REFUSED = Declined("i-0a fails to start: 500 Could not attach to network fleet: context deadline exceeded")


@pytest.fixture
def world() -> World:
    world = with_managers(SECOND, THIRD)
    for node_id in NODES:
        world.with_worker(node_id)
    for node_id in (SECOND, THIRD):
        fall_silent(world, node_id)
    return world


def test_a_create_that_an_engine_declines_waits_with_the_reason_and_no_other_engine_is_tried(world: World) -> None:
    world.engines.fail("start", REFUSED, times=9)
    container = world.placer.create(a_request("web-1"))
    assert (container.state, container.node, container.reason) == (ContainerState.PENDING, None, NO_LEADER)
    assert world.engines.calls["start"] == 1
    assert all(not world.engines.on(node_id).containers for node_id in NODES)


def test_a_leader_that_has_not_noticed_yet_that_the_others_are_gone_is_none(world: World) -> None:
    listed = tuple(world.swarm.listed.values())
    world.swarm.managers = lambda manager: listed  # type: ignore[method-assign]  # what it answers at that moment
    assert world.managers.why_leaderless() == "too few of the Swarm's managers can be reached"


def test_the_next_create_waits_at_once(world: World) -> None:
    world.engines.fail("start", REFUSED, times=9)
    placer = world.placer
    placer.create(a_request("web-1"))
    asked = world.swarm.calls["managers"]
    container = placer.create(a_request("web-2"))
    assert (container.state, container.reason) == (ContainerState.PENDING, NO_LEADER)
    assert (world.engines.calls["start"], world.swarm.calls["managers"]) == (1, asked)


def test_an_engine_that_waits_for_a_leader_is_not_called_ill_and_its_container_waits_there(world: World) -> None:
    world.engines.fail("start", Unavailable("i-0a does not answer to start: ReadTimeout"))
    container = world.placer.create(a_request("web-1"))
    assert (container.state, container.reason) == (ContainerState.RESERVED, NO_LEADER)
    assert all(world.node(node_id).health == 100 for node_id in NODES)


def test_what_stood_on_an_engine_meanwhile_is_taken_off_and_waits(world: World) -> None:
    world.engines.fail("start", Unavailable("i-0a does not answer to start: ReadTimeout"))
    world.placer.create(a_request("web-1"))
    world.clock.advance(RESERVATION_LEASE_S + 1)
    container = world.placer.settle(world.container())  # by another process, which knows the record alone
    assert container is not None
    assert (container.state, container.reason) == (ContainerState.PENDING, NO_LEADER)
    assert all(not world.engines.on(node_id).containers for node_id in NODES)


def test_what_waited_runs_once_a_leader_is_back(world: World) -> None:
    world.engines.fail("start", REFUSED, times=2)
    pending = world.pending
    world.placer.create(a_request("web-1"))
    pending.retry()
    assert world.container().reason == NO_LEADER
    come_back(world, SECOND)
    world.clock.advance(6)
    assert pending.retry() == ()
    assert world.container().state is ContainerState.RUNNING


def test_a_retry_while_there_is_still_no_leader_reserves_nothing(world: World) -> None:
    world.engines.fail("start", REFUSED, times=9)
    pending = world.pending
    world.placer.create(a_request("web-1"))
    pending.retry()
    world.store.calls.clear()
    pending.retry()
    assert world.store.calls["reserve"] == 0


def test_nothing_is_moved_while_neither_copy_could_start(world: World) -> None:
    for node_id in (SECOND, THIRD):
        come_back(world, node_id)
    container = world.placer.create(a_request("web-1", movable=True))
    assert container.node is not None
    for node_id in (SECOND, THIRD):
        fall_silent(world, node_id)
    move = world.mover.move(container, world.node(container.node))
    assert (move.moved, move.detail) == (False, NO_LEADER)
    assert world.engines.running("web-1") == [container.node]
    assert world.engines.calls["stop"] == 0


def test_what_is_on_no_overlay_is_not_asked_about(world: World) -> None:
    world.engines.fail("start", REFUSED)
    request = replace(a_request("web-1"), network="")
    world.placer.create(request)
    assert world.swarm.calls["managers"] == 0


def test_a_refusal_that_has_nothing_to_do_with_the_swarm_is_told_as_it_is(world: World) -> None:
    for node_id in (SECOND, THIRD):
        come_back(world, node_id)
    world.engines.fail("start", Declined("i-0a fails to start: 500 no space left on device"), times=9)
    container = world.placer.create(a_request("web-1"))
    assert container.state is ContainerState.PENDING
    assert "no space left" in container.reason
