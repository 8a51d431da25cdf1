"""Leaving: drained, out of the Swarm, no record left, hook completed; movable containers live on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.adapters.memory.tables import ChangeIndex, Tables
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import ContainerName, ContainerState, Hook, Node, NodeId, Request
from swarmkeeper.errors import Unavailable, UnsafeAction
from swarmkeeper.ports import RESERVATION_LEASE_S, Command
from tests.fakes import a_request
from tests.fakes.certificates import SIGNING_REQUEST
from tests.fakes.fleet import Completion
from tests.unit.services.world import DRAIN_LIMIT_S, MANAGER, World

OLD, NEW = NodeId("i-0000000000000000a"), NodeId("i-0000000000000000b")


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.fleet.set_desired("demo-workers", 2)
    world.with_worker(OLD)
    return world


def drain(world: World) -> None:
    """As the scaler marks a victim."""
    node = world.node(OLD)
    world.store.save_node(replace(node, state=NodeState.DRAINING, state_since=world.clock.now(), reason="scale-in"))


def leave(world: World) -> None:
    """From the terminate hook to the grave."""
    hook = world.fleet.actions[OLD]
    world.registrar.terminating(world.waiting(OLD, hook))
    world.end_command(Command.LEAVE)
    world.swarm.go_down(OLD)
    world.registrar.advance(OLD)


def test_an_empty_victim_is_terminated_leaves_the_swarm_and_leaves_no_record(world: World) -> None:
    drain(world)
    world.registrar.advance(OLD)
    assert world.fleet.terminated == [OLD]
    leave(world)
    assert world.fleet.completions == [Completion(OLD, "leave", proceed=True)]
    assert OLD not in [listed.host_name for listed in world.swarm.listed.values()]
    assert OLD not in [node.id for node in world.store.nodes()]


def test_the_node_is_not_buried_while_the_swarm_still_shows_it_ready(world: World) -> None:
    drain(world)
    world.registrar.advance(OLD)
    world.registrar.terminating(world.waiting(OLD, world.fleet.actions[OLD]))
    world.end_command(Command.LEAVE)
    with pytest.raises(Unavailable, match="still shows"):
        world.registrar.advance(OLD)
    assert world.fleet.completions == []


def test_a_movable_container_is_moved_before_its_node_ends(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    drain(world)
    progress = world.registrar.advance(OLD)
    assert [move.moved for move in progress.moves] == [True]
    assert world.engines.running("web-1") == [NEW]
    assert (world.node(OLD).containers, world.node(NEW).containers) == (0, 1)
    assert world.fleet.terminated == [OLD]


def test_at_no_moment_of_a_move_do_two_copies_run(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    drain(world)
    world.engines.fail("start", Unavailable("no answer"))
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == [OLD]
    assert world.node(NEW).containers == 0


def test_a_move_that_was_cut_off_is_finished_by_the_next_event(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    drain(world)
    world.engines.fail("stop", Unavailable("no answer"))
    assert [move.moved for move in world.registrar.advance(OLD).moves] == [False]
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == [NEW]
    assert (world.node(OLD).containers, world.node(NEW).containers) == (0, 1)


def test_an_unmovable_container_delays_the_drain(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.with_worker(NEW)
    drain(world)
    world.registrar.advance(OLD)
    assert world.fleet.terminated == []
    assert world.engines.running("web-1") == [OLD]


def test_a_drain_of_ours_that_runs_out_of_time_is_given_up_and_the_node_works_on(world: World) -> None:
    world.placer.create(a_request("web-1"))
    drain(world)
    world.clock.advance(DRAIN_LIMIT_S + 1)
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.READY
    assert world.engines.running("web-1") == [OLD]


def test_a_termination_from_outside_keeps_its_hook_alive_while_containers_remain(world: World) -> None:
    world.placer.create(a_request("web-1"))
    hook = world.fleet.begin_termination(OLD)
    world.registrar.terminating(world.waiting(OLD, hook))
    assert world.node(OLD).state is NodeState.DRAINING
    assert world.fleet.heartbeats == [OLD]


def test_after_the_drain_limit_of_a_termination_the_rest_is_pending_with_the_reason(world: World) -> None:
    world.placer.create(a_request("web-1"))
    hook = world.fleet.begin_termination(OLD)
    world.registrar.terminating(world.waiting(OLD, hook))
    world.clock.advance(DRAIN_LIMIT_S + 1)
    world.registrar.advance(OLD)
    container = world.store.container(ContainerName("web-1"))
    assert container is not None
    assert container.state is ContainerState.PENDING
    assert OLD in container.reason
    assert world.node(OLD).state is NodeState.LEAVING


def test_a_draining_node_takes_no_new_container(world: World) -> None:
    drain(world)
    assert world.placer.create(a_request("web-1")).state is ContainerState.PENDING


def test_an_instance_that_vanished_without_a_hook_is_buried_and_its_containers_wait_for_a_node(world: World) -> None:
    world.placer.create(a_request("web-1"))
    world.fleet.vanish(OLD)
    world.swarm.go_down(OLD)
    assert OLD in world.reconciler.nudge().nodes
    world.registrar.advance(OLD)
    assert world.store.pending()[0].name == "web-1"
    assert OLD not in [listed.host_name for listed in world.swarm.listed.values()]


def test_a_terminate_event_that_never_comes_is_made_good_by_the_schedule(world: World) -> None:
    drain(world)
    world.registrar.advance(OLD)
    assert OLD in world.reconciler.nudge().nodes
    world.registrar.advance(OLD)
    assert world.node(OLD).state is NodeState.LEAVING


def test_the_terminate_event_twice_sends_one_leave_command(world: World) -> None:
    hook = world.fleet.begin_termination(OLD)
    waiting = world.waiting(OLD, hook)
    world.registrar.terminating(waiting)
    with pytest.raises(Unavailable, match="still leaving"):
        world.registrar.terminating(waiting)
    assert [sent.command for sent in world.commands.sent] == [Command.LEAVE]


def test_a_terminate_while_the_node_joins_undoes_the_join(world: World) -> None:
    launch = world.launch(NEW)
    world.commands.register(NEW)
    world.registrar.launching(launch)
    world.registrar.terminating(world.waiting(NEW, world.fleet.begin_termination(NEW)))
    assert world.node(NEW).state is NodeState.GONE
    assert world.fleet.completions == [Completion(NEW, "leave", proceed=True)]


def test_a_terminate_while_the_node_joins_is_finished_when_the_first_call_could_not(world: World) -> None:
    launch = world.launch(NEW)
    world.commands.register(NEW)
    world.registrar.launching(launch)
    world.store.fail("bury_node", Unavailable("throttled"))
    with pytest.raises(Unavailable):
        world.registrar.terminating(world.waiting(NEW, world.fleet.begin_termination(NEW)))
    assert world.registrar.advance(NEW).state is NodeState.GONE
    assert world.fleet.completions == [Completion(NEW, "leave", proceed=True)]


def test_an_instance_that_ends_before_anything_was_told_of_it_is_let_go_by_the_schedule(world: World) -> None:
    world.launch(NEW)
    world.fleet.begin_termination(NEW)
    assert NEW in world.reconciler.nudge().nodes
    assert world.registrar.advance(NEW).state is NodeState.GONE
    assert world.fleet.completions == [Completion(NEW, "leave", proceed=True)]


def test_an_instance_that_ends_in_its_launch_hook_before_anything_was_told_of_it_frees_its_place(world: World) -> None:
    world.launch(NEW)
    world.fleet.shut_down(NEW)
    assert NEW in world.reconciler.nudge().nodes
    assert world.registrar.advance(NEW).state is None
    assert world.fleet.completions == [Completion(NEW, "join", proceed=False)]


def test_of_an_instance_that_vanishes_while_it_joins_nothing_is_kept(world: World) -> None:
    launch = world.launch(NEW)
    world.commands.register(NEW)
    world.registrar.launching(launch)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    world.registrar.advance(NEW)
    world.fleet.vanish(NEW)
    assert world.registrar.advance(NEW).state is NodeState.GONE
    assert [world.store.fact(f"{kind}/{NEW}") for kind in ("signing-request", "certificate")] == [None, None]


@pytest.mark.parametrize("node_id", [OLD, NEW])
def test_a_group_that_notices_an_end_after_the_burial_is_not_kept_waiting_when_its_event_is_lost(
    world: World, node_id: NodeId
) -> None:
    if node_id == NEW:
        launch = world.launch(NEW)
        world.commands.register(NEW)
        world.registrar.launching(launch)
    world.fleet.vanish(node_id)
    world.swarm.go_down(OLD)
    assert world.registrar.advance(node_id).state is NodeState.GONE
    world.fleet.begin_termination(node_id)
    assert node_id in world.reconciler.nudge().nodes
    world.registrar.advance(node_id)
    assert world.fleet.completions[-1:] == [Completion(node_id, "leave", proceed=True)]


def test_a_late_event_for_a_buried_node_changes_nothing(world: World) -> None:
    drain(world)
    world.registrar.advance(OLD)
    leave(world)
    before = world.node(OLD)
    world.registrar.advance(OLD)
    assert world.node(OLD) == before


def test_a_move_to_an_engine_that_never_answers_chooses_another_target(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    drain(world)
    world.engines.on(NEW).reachable = False
    assert [move.moved for move in world.registrar.advance(OLD).moves] == [False]
    assert world.node(NEW).containers == 0
    third = "i-0000000000000000c"
    world.with_worker(third)
    world.fleet.set_desired("demo-workers", 3)
    world.store.save_node(replace(world.node(NEW), health=0))
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == [third]


def test_a_container_that_can_not_move_does_not_hold_up_the_others(world: World) -> None:
    for name in ("web-1", "web-2"):
        world.placer.create(a_request(name, movable=True))
    world.with_worker(NEW)
    drain(world)
    world.engines.fail("create", Unavailable("no answer"))
    assert [move.moved for move in world.registrar.advance(OLD).moves] == [False, True]


def test_a_step_moves_a_few_containers_and_asks_to_come_again(world: World) -> None:
    for number in range(4):
        world.placer.create(a_request(f"web-{number}", movable=True))
    world.with_worker(NEW)
    drain(world)
    first = world.registrar.advance(OLD)
    assert (len(first.moves), first.more_to_do) == (2, True)
    second = world.registrar.advance(OLD)
    assert (len(second.moves), second.more_to_do) == (2, False)
    assert world.fleet.terminated == [OLD]


def test_past_the_limit_the_old_copy_is_gone_before_a_new_one_may_start(world: World) -> None:
    world.placer.create(a_request("web-1"))
    hook = world.fleet.begin_termination(OLD)
    world.registrar.terminating(world.waiting(OLD, hook))
    world.clock.advance(DRAIN_LIMIT_S + 1)
    world.with_worker(NEW)
    world.engines.fail("remove", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        world.registrar.advance(OLD)
    assert world.store.pending() == ()
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == []
    world.pending.retry()
    assert world.engines.running("web-1") == [NEW]


def test_a_move_whose_source_vanishes_is_finished_on_its_target(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    drain(world)
    world.store.fail("finish_move", Unavailable("cut off"))
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == [NEW]
    world.fleet.vanish(OLD)
    world.swarm.go_down(OLD)
    world.registrar.advance(OLD)
    container = world.store.container(ContainerName("web-1"))
    assert container is not None
    assert (container.state, container.node, container.moving_to) == (ContainerState.RUNNING, NEW, None)
    assert (world.engines.running("web-1"), world.node(NEW).containers) == ([NEW], 1)


def test_a_container_removed_while_it_moves_leaves_no_copy(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    drain(world)
    create = world.engines.create

    def removed_meanwhile(node: Node, request: Request, *, image: str = "") -> str:
        world.placer.remove(request.name)
        return create(node, request, image=image)

    world.engines.create = removed_meanwhile  # type: ignore[method-assign]  # the removal comes at this very moment
    assert [move.moved for move in world.registrar.advance(OLD).moves] == [False]
    assert world.engines.running("web-1") == []
    world.clock.advance(RESERVATION_LEASE_S)  # until then the mover might still have made a copy
    world.pending.settle_named(ContainerName("web-1"))
    assert world.store.container(ContainerName("web-1")) is None
    assert world.engines.on(OLD).containers == world.engines.on(NEW).containers == {}
    assert (world.node(OLD).containers, world.node(NEW).containers) == (0, 0)


def test_a_drain_that_is_given_up_leaves_no_half_done_move(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    world.engines.on(NEW).images.clear()
    drain(world)
    world.registrar.advance(OLD)
    assert world.node(NEW).containers == 1
    world.clock.advance(DRAIN_LIMIT_S + 1)
    world.registrar.advance(OLD)
    assert (world.node(OLD).state, world.node(NEW).containers) == (NodeState.READY, 0)
    assert world.engines.running("web-1") == [OLD]


def test_moves_off_a_node_that_was_taken_back_are_undone(world: World) -> None:
    world.placer.create(a_request("web-1", movable=True))
    world.with_worker(NEW)
    drain(world)
    world.engines.fail("start", Unavailable("no answer"))
    world.engines.fail("remove", Unavailable("no answer"))
    world.registrar.advance(OLD)
    assert world.engines.running("web-1") == []
    world.store.save_node(replace(world.node(OLD), state=NodeState.READY))
    assert OLD in world.reconciler.nudge().nodes
    world.registrar.advance(OLD)
    assert (world.engines.running("web-1"), world.node(NEW).containers) == ([OLD], 0)


def test_a_node_drained_before_its_launch_hook_was_noted_done_is_really_ended(world: World) -> None:
    drain(world)
    launch = Hook("demo-workers", "join", "used", world.clock.now() + 600)
    world.store.save_node(replace(world.node(OLD), hook=launch))
    world.registrar.advance(OLD)
    assert world.fleet.terminated == [OLD]
    leave(world)
    assert world.node(OLD).state is NodeState.GONE


def test_a_group_that_refuses_the_termination_gets_its_node_back(world: World) -> None:
    drain(world)
    world.fleet.fail("terminate", UnsafeAction("below its min"))
    world.registrar.advance(OLD)
    assert (world.node(OLD).state, "below its min" in world.node(OLD).reason) == (NodeState.READY, True)


def test_an_instance_that_serves_although_its_node_is_buried_is_ended(world: World) -> None:
    world.store.bury_node(world.node(OLD), expires_at=world.clock.now() + 1000)
    world.swarm.go_down(OLD)
    assert OLD in world.reconciler.nudge().nodes
    world.registrar.advance(OLD)
    assert world.fleet.terminated == [OLD]


def lose_all_records(world: World, *, but: NodeId | None = None) -> None:
    kept = None if but is None else world.node(but)
    world.store.stored, world.store.changes = Tables(), ChangeIndex()
    if kept is not None:
        world.store.add_node(kept)


@pytest.mark.parametrize("told", [True, False])
def test_a_member_whose_record_is_lost_is_not_let_go_as_if_it_had_never_joined(world: World, told: bool) -> None:
    world.fleet.begin_termination(OLD)
    lose_all_records(world, but=MANAGER)
    with pytest.raises(Unavailable, match="must be rebuilt"):
        if told:
            world.registrar.terminating(world.waiting(OLD, world.fleet.actions[OLD]))
        else:
            world.registrar.advance(OLD)
    assert world.fleet.completions == []
    assert world.store.node(OLD) is None


def test_nobody_is_let_go_untold_while_there_is_no_manager_to_ask(world: World) -> None:
    world.fleet.begin_termination(OLD)
    lose_all_records(world)
    assert "nobody can tell" in world.registrar.advance(OLD).detail
    assert world.fleet.completions == []
