"""Nodes that vanish without a hook: suspected, lost, fenced, and only then do their containers run elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.losses import LossFuse, LossPolicy
from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import ContainerState, Leaving, NodeId
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Event
from swarmkeeper.services.progress import Progress
from tests.fakes import a_request
from tests.unit.services.world import MANAGER, World

OLD, NEW, THIRD = NodeId("i-0000000000000000a"), NodeId("i-0000000000000000b"), NodeId("i-0000000000000000c")
GRACE_S = 60.0


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.fleet.set_desired("demo-workers", 2)
    world.with_worker(OLD)
    return world


def fall_silent(world: World, node_id: NodeId = OLD) -> None:
    """Its engine runs on, cut off from everybody; what ran there runs."""
    world.engines.on(node_id).reachable = False
    world.swarm.go_down(node_id)


def come_back(world: World, node_id: NodeId = OLD) -> None:
    world.engines.on(node_id).reachable = True
    for swarm_id, listed in world.swarm.listed.items():
        if listed.host_name == node_id:
            world.swarm.listed[swarm_id] = replace(listed, ready=True)


def lose(world: World, node_id: NodeId = OLD) -> Progress:
    """Two looks, a grace apart."""
    fall_silent(world, node_id)
    world.registrar.advance(node_id)
    world.clock.advance(GRACE_S)
    return world.registrar.advance(node_id)


def end_instance(world: World, node_id: NodeId = OLD) -> None:
    """From the terminate hook to the grave."""
    world.registrar.terminating(world.waiting(node_id, world.fleet.actions[node_id]))
    world.registrar.advance(node_id)


# Detection.


def test_the_schedule_has_a_node_looked_at_that_the_swarm_shows_down(world: World) -> None:
    fall_silent(world)
    assert OLD in world.reconciler.nudge().nodes


def test_the_schedule_has_a_node_looked_at_whose_health_has_sunk(world: World) -> None:
    world.store.save_node(replace(world.node(OLD), health=67))
    assert OLD in world.reconciler.nudge().nodes


def test_the_first_look_only_suspects_and_comes_again_soon(world: World) -> None:
    fall_silent(world)
    progress = world.registrar.advance(OLD)
    assert progress.more_to_do
    node = world.node(OLD)
    assert (node.state, node.suspected_at, node.health) == (NodeState.READY, world.clock.now(), 0)
    world.clock.advance(GRACE_S - 1)
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.READY


@pytest.mark.parametrize("answers", ["engine", "swarm"])
def test_a_node_that_either_the_swarm_or_we_hear_is_not_suspected(world: World, answers: str) -> None:
    fall_silent(world)
    if answers == "engine":
        world.engines.on(OLD).reachable = True
    else:
        come_back(world)
        world.engines.on(OLD).reachable = False
    world.registrar.advance(OLD)
    assert world.node(OLD).suspected_at is None


def test_a_suspected_node_that_answers_again_is_trusted_and_the_grace_begins_anew(world: World) -> None:
    fall_silent(world)
    world.registrar.advance(OLD)
    world.clock.advance(GRACE_S - 1)
    come_back(world)
    world.registrar.advance(OLD)
    assert (world.node(OLD).suspected_at, world.node(OLD).health) == (None, 100)
    fall_silent(world)
    world.clock.advance(2)
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.READY


def test_without_the_swarms_word_nobody_is_suspected_and_a_drain_goes_on(world: World) -> None:
    hook = world.fleet.begin_termination(OLD)
    world.placer.create(a_request("web-1"))
    world.registrar.terminating(world.waiting(OLD, hook))
    world.swarm.unreachable.add(MANAGER)
    world.engines.on(OLD).reachable = False
    world.registrar.advance(OLD)
    assert world.node(OLD).suspected_at is None
    assert world.fleet.heartbeats == [OLD, OLD]


def test_a_lost_node_takes_no_new_container(world: World) -> None:
    world.losses = LossPolicy(return_limit_s=600)
    world.placer.create(a_request("web-1"))
    lose(world)
    assert world.node(OLD).state is NodeState.LOST
    assert world.placer.create(a_request("web-2")).state is ContainerState.PENDING


def test_when_all_workers_fall_silent_at_once_none_is_lost_and_it_is_told(world: World) -> None:
    world.with_worker(NEW)
    for node_id in (OLD, NEW):
        fall_silent(world, node_id)
        world.registrar.advance(node_id)
    world.clock.advance(GRACE_S)
    refused = [world.registrar.advance(node_id).refused for node_id in (OLD, NEW)]
    assert all("all 2 workers are silent" in each for each in refused)
    assert {world.node(node_id).state for node_id in (OLD, NEW)} == {NodeState.READY}
    assert world.fleet.replaced == []


def test_the_fuse_remembers_losses_that_are_buried_already(world: World) -> None:
    world.fuse = LossFuse(nodes=1, window_s=600)
    world.with_worker(NEW)
    world.with_worker(THIRD)
    lose(world)
    end_instance(world)
    assert "were lost within" in lose(world, NEW).refused
    world.clock.advance(600)
    world.registrar.advance(NEW)
    assert world.node(NEW).state is NodeState.LOST


# The fence.


def test_a_lost_node_is_withdrawn_from_the_balancer_before_its_instance_is_replaced(world: World) -> None:
    world.routes.fail("withdraw", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        lose(world)
    assert world.node(OLD).state is NodeState.LOST
    assert world.fleet.replaced == []
    world.registrar.advance(OLD)
    assert world.routes.withdrawn == {OLD}
    assert world.fleet.replaced == [OLD]
    assert world.fleet.group("demo-workers").desired == 2


def test_its_terminate_hook_is_completed_at_once(world: World) -> None:
    lose(world)
    progress = world.registrar.terminating(world.waiting(OLD, world.fleet.actions[OLD]))
    assert progress.more_to_do
    assert [(one.node_id, one.hook) for one in world.fleet.completions] == [(OLD, "leave")]


def test_the_event_of_its_end_comes_again_until_it_is_buried(world: World) -> None:
    lose(world)
    waiting = world.waiting(OLD, world.fleet.actions[OLD])
    assert world.registrar.terminating(waiting).more_to_do
    assert not world.registrar.terminating(waiting).more_to_do
    assert world.node(OLD).state is NodeState.GONE


def test_nothing_starts_elsewhere_before_the_instance_runs_no_longer(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    lose(world)
    world.pending.retry()
    assert world.engines.running("web-1") == [OLD]
    assert OLD in world.container("web-1").reason
    end_instance(world)
    world.engines.lose(OLD)
    world.pending.retry()
    assert world.engines.running("web-1") == [NEW]
    assert world.node(OLD).state is NodeState.GONE
    assert OLD not in [listed.host_name for listed in world.swarm.listed.values()]


def test_its_containers_are_tried_again_at_once_when_it_is_buried(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    lose(world)
    end_instance(world)
    assert world.events.of(Event.PENDING_RETRY) == [{"fleet": "demo"}]
    assert world.events.of(Event.CONTAINER_LOST) == []
    assert world.container("web-1").state is ContainerState.PENDING
    assert OLD in world.container("web-1").reason


def test_a_lost_node_that_scale_in_drained_is_not_replaced(world: World) -> None:
    node = world.node(OLD)
    leaving = Leaving(LeaveCause.SCALE_IN, since=world.clock.now())
    world.store.save_node(replace(node, state=NodeState.DRAINING, leaving=leaving))
    lose(world)
    assert world.fleet.replaced == []
    assert world.fleet.group("demo-workers").desired == 1


def test_a_node_that_is_ended_by_its_group_and_falls_silent_need_not_be_drained(world: World) -> None:
    world.placer.create(a_request("web-1"))
    hook = world.fleet.begin_termination(OLD)
    world.registrar.terminating(world.waiting(OLD, hook))
    lose(world)
    assert [(one.node_id, one.hook) for one in world.fleet.completions] == [(OLD, "leave")]


# What can't be moved.


def test_a_node_with_unmovable_containers_is_withdrawn_and_waited_for(world: World) -> None:
    world.placer.create(a_request("web-1"))
    lose(world)
    assert world.routes.withdrawn == {OLD}
    assert world.fleet.replaced == []
    assert "its return is waited for" in world.container("web-1").reason
    world.clock.advance(world.losses.return_limit_s)
    world.registrar.advance(OLD)
    assert world.fleet.replaced == [OLD]


@pytest.mark.parametrize(("before_the_end_s", "comes_again"), [(61, False), (60, True), (1, True)])
def test_what_waits_for_a_return_is_looked_at_as_the_limit_ends_whatever_the_schedule(
    world: World, before_the_end_s: int, comes_again: bool
) -> None:
    world.placer.create(a_request("web-1"))
    lose(world)
    world.clock.advance(world.losses.return_limit_s - before_the_end_s)
    assert world.registrar.advance(OLD).more_to_do is comes_again
    assert world.fleet.replaced == []


def test_with_its_instance_unmovable_containers_are_reported_as_lost_and_wait_for_a_node(world: World) -> None:
    world.losses = LossPolicy(waits=False)
    world.placer.create(a_request("web-1"))
    world.placer.create(a_request("web-2", movable=True))
    lose(world)
    assert world.fleet.replaced == [OLD]
    end_instance(world)
    assert [(one["name"], one["tenant"], one["node"]) for one in world.events.of(Event.CONTAINER_LOST)] == [
        ("web-1", "acme", OLD)
    ]
    assert world.container("web-1").state is ContainerState.PENDING


def test_a_terminated_instance_is_buried_at_once_without_any_grace(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.fleet.vanish(OLD)
    world.swarm.go_down(OLD)
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.GONE
    assert [one["name"] for one in world.events.of(Event.CONTAINER_LOST)] == ["web-1"]


# Return.


def test_a_lost_node_that_comes_back_before_its_end_serves_again_with_its_containers(world: World) -> None:
    world.placer.create(a_request("web-1"))
    lose(world)
    come_back(world)
    world.registrar.advance(OLD)
    node = world.node(OLD)
    assert (node.state, node.suspected_at, node.health, node.reason) == (NodeState.READY, None, 100, "")
    assert world.routes.withdrawn == set()
    assert (world.container("web-1").state, world.container("web-1").reason) == (ContainerState.RUNNING, "")
    assert world.events.of(Event.NODE_READY) == [{"fleet": "demo", "node": OLD}]


def test_old_copies_are_removed_before_the_node_is_ready_again(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.placer.create(a_request("web-2", movable=True))
    world.with_worker(NEW)
    lose(world)
    world.store.unplace(world.container("web-2"), reason="as if it had been given away")
    world.pending.retry()
    assert world.engines.running("web-2") == [OLD, NEW]
    come_back(world)
    world.engines.fail("remove", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.LOST
    assert world.routes.withdrawn == {OLD}
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.READY
    assert world.engines.running("web-2") == [NEW]
    assert world.engines.running("web-1") == [OLD]


def test_what_ran_on_a_node_that_was_rebooted_is_started_again_and_what_had_ended_is_not(world: World) -> None:
    for name in ("web-1", "web-2"):
        world.placer.create(a_request(name))
    world.engines.change(OLD, "web-2", running=False)
    world.inventory.check(OLD)
    lose(world)
    world.engines.change(OLD, "web-1", running=False)
    come_back(world)
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == [OLD]
    assert world.engines.running("web-2") == []
    assert (world.container("web-1").reason, world.container("web-2").reason) == ("", "its process has ended")


def test_a_node_that_was_to_leave_is_drained_again_when_it_comes_back(world: World) -> None:
    world.placer.create(a_request("web-1"))
    leaving = Leaving(LeaveCause.OPERATOR, since=world.clock.now(), note="by hand")
    world.store.save_node(replace(world.node(OLD), state=NodeState.DRAINING, leaving=leaving))
    lose(world)
    come_back(world)
    world.registrar.advance(OLD)
    assert (world.node(OLD).state, world.node(OLD).leaving) == (NodeState.DRAINING, leaving)
    assert world.events.of(Event.NODE_DRAINING) == [{"fleet": "demo", "node": OLD}]


def test_a_node_that_comes_back_while_its_instance_is_ended_does_not_serve(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    lose(world)
    come_back(world)
    world.registrar.advance(OLD)  # finds the terminate hook that nobody has told yet
    assert world.node(OLD).state is NodeState.LOST
    assert [(one.node_id, one.hook) for one in world.fleet.completions] == [(OLD, "leave")]


@pytest.mark.parametrize("heard_by", ["swarm", "us"])
def test_a_lost_node_is_not_taken_back_on_one_word_alone(world: World, heard_by: str) -> None:
    world.placer.create(a_request("web-1"))
    lose(world)
    come_back(world)
    if heard_by == "swarm":
        world.engines.on(OLD).reachable = False
    else:
        world.swarm.go_down(OLD)
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.LOST
