"""Several managers: they join one at a time, any of them is asked, and none goes at the cost of the quorum."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId, Role
from swarmkeeper.errors import NoLeader, NoManager, Unavailable
from swarmkeeper.ports import Command
from tests.fakes import a_node
from tests.fakes.certificates import SIGNING_REQUEST
from tests.unit.services.world import MANAGER, World

SECOND, THIRD, FOURTH = (NodeId(f"i-00000000000000{letter * 3}") for letter in "bcd")
WORKER = NodeId("i-0000000000000000a")
GRACE_S = 60.0


def with_managers(*others: NodeId) -> World:
    world = World().with_manager()
    world.fleet.set_desired("demo-managers", min(4, 1 + len(others)))
    for number, node_id in enumerate(others):
        world.fleet.in_service("demo-managers", node_id)
        listed = world.swarm.join(node_id, role=Role.MANAGER)
        world.commands.register(node_id)
        address = f"10.42.0.{6 + number}"
        world.store.add_node(a_node(node_id, pool="managers", role=Role.MANAGER, address=address, swarm_id=listed.id))
    world.commands.register(MANAGER)
    return world


def certify(world: World, node_id: NodeId) -> None:
    """As far as the join command, which isn't sent yet."""
    waiting = world.launch(node_id, "demo-managers")
    world.commands.register(node_id)
    world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)


def enter(world: World, node_id: NodeId) -> None:
    """The join command ends, and the Swarm shows the manager."""
    listed = world.swarm.join(node_id, role=Role.MANAGER)
    world.end_command(Command.JOIN, output=json.dumps({"node_id": listed.id, "state": "active"}))
    world.registrar.advance(node_id)


def fall_silent(world: World, node_id: NodeId) -> None:
    world.engines.on(node_id).reachable = False
    world.swarm.unreachable.add(node_id)
    world.swarm.go_down(node_id)


def come_back(world: World, node_id: NodeId) -> None:
    world.engines.on(node_id).reachable = True
    world.swarm.unreachable.discard(node_id)
    for swarm_id, listed in world.swarm.listed.items():
        if listed.host_name == node_id:
            world.swarm.listed[swarm_id] = replace(listed, ready=True, reachable=True)


def told_to_end(world: World, node_id: NodeId) -> None:
    hook = world.fleet.begin_termination(node_id)
    world.registrar.terminating(world.waiting(node_id, hook))


def votes(world: World) -> set[str]:
    return {each.host_name for each in world.swarm.listed.values() if each.reachable is not None}


# Joining.


def test_a_second_manager_joins_as_one_and_is_given_all_that_may_let_it_in() -> None:
    world = with_managers(SECOND)
    node = world.join(THIRD, group="demo-managers", role=Role.MANAGER)
    sent = world.commands.last(Command.JOIN).parameters
    assert (sent["mode"], sent["role"]) == ("join", "manager")
    assert set(sent["managers"].split(",")) == {"10.42.0.5:2377", "10.42.0.6:2377"}
    assert node.state is NodeState.READY


def test_managers_join_one_after_the_other() -> None:
    world = with_managers()
    certify(world, SECOND)
    world.registrar.advance(SECOND)
    certify(world, THIRD)
    with pytest.raises(Unavailable, match=f"{SECOND}, is joining"):
        world.registrar.advance(THIRD)
    world.swarm.join(SECOND, role=Role.MANAGER)
    sent = next(one for one in world.commands.sent if one.node_id == SECOND and one.command is Command.JOIN)
    world.commands.finish(sent.id, output=json.dumps({"node_id": "swarm-2", "state": "active"}))
    assert world.registrar.advance(SECOND).state is NodeState.READY
    assert world.registrar.advance(THIRD).state is NodeState.JOINING


def test_a_manager_that_never_got_there_holds_nobody_up() -> None:
    world = with_managers()
    certify(world, SECOND)
    world.registrar.advance(SECOND)
    world.fleet.vanish(SECOND)
    world.clock.advance(601)
    world.registrar.advance(SECOND)
    assert world.node(SECOND).state is NodeState.GONE
    certify(world, THIRD)
    assert world.registrar.advance(THIRD).state is NodeState.JOINING


def test_no_manager_is_added_while_one_that_failed_would_cost_the_quorum() -> None:
    world = with_managers(SECOND, THIRD)
    fall_silent(world, THIRD)
    certify(world, FOURTH)
    with pytest.raises(Unavailable, match="2 of 3 managers can be reached"):
        world.registrar.advance(FOURTH)
    world.swarm.listed = {key: each for key, each in world.swarm.listed.items() if each.host_name != THIRD}
    assert world.registrar.advance(FOURTH).state is NodeState.JOINING


def test_a_manager_is_not_ready_before_the_others_reach_it() -> None:
    world = with_managers()
    certify(world, SECOND)
    world.registrar.advance(SECOND)
    listed = world.swarm.join(SECOND, role=Role.WORKER)
    world.end_command(Command.JOIN, output=json.dumps({"node_id": listed.id, "state": "active"}))
    with pytest.raises(Unavailable, match="not yet ready"):
        world.registrar.advance(SECOND)


def test_no_second_swarm_is_begun_while_nodes_of_the_first_are_left() -> None:
    world = with_managers()
    world.store.set_fact_once("first-manager", MANAGER)
    world.with_worker(WORKER)
    world.fleet.vanish(MANAGER)
    world.registrar.advance(MANAGER)
    assert world.node(MANAGER).state is NodeState.GONE
    certify(world, SECOND)
    with pytest.raises(NoManager, match="all managers are lost, and their Swarm has 1 nodes left"):
        world.registrar.advance(SECOND)


def test_a_join_that_failed_with_the_leader_is_tried_again_only_once_there_is_one_and_at_managers_that_live() -> None:
    world = with_managers(SECOND, THIRD)
    waiting = world.launch(WORKER)
    world.commands.register(WORKER)
    world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    world.registrar.advance(WORKER)
    fall_silent(world, MANAGER)
    world.end_command(Command.JOIN, fails=True)
    world.swarm.fail("managers", NoLeader("The swarm does not have a leader"), times=6)
    for _ in range(2):
        with pytest.raises(NoLeader):
            world.registrar.advance(WORKER)
    assert world.registrar.advance(WORKER).state is NodeState.JOINING
    sent = [each for each in world.commands.sent if each.command is Command.JOIN]
    assert len(sent) == 2
    assert set(sent[-1].parameters["managers"].split(",")) == {"10.42.0.6:2377", "10.42.0.7:2377"}


def test_a_manager_that_is_ended_while_it_joins_gives_up_the_vote_that_it_has_got_before_its_instance_ends() -> None:
    world = with_managers()
    certify(world, SECOND)
    world.registrar.advance(SECOND)
    hook = world.fleet.begin_termination(SECOND)
    world.swarm.join(SECOND, role=Role.MANAGER)
    world.end_command(Command.JOIN)
    world.registrar.advance(SECOND)
    assert votes(world) == {MANAGER}
    assert world.node(SECOND).state is NodeState.GONE
    assert hook not in world.fleet.actions.values()


def test_a_manager_that_is_ended_while_its_join_command_runs_is_held_until_that_has_ended() -> None:
    world = with_managers()
    certify(world, SECOND)
    world.registrar.advance(SECOND)
    hook = world.fleet.begin_termination(SECOND)
    with pytest.raises(Unavailable, match=r"not given up yet .*its join command is still running"):
        world.registrar.terminating(world.waiting(SECOND, hook))
    assert world.fleet.actions[SECOND] == hook
    assert SECOND in world.fleet.heartbeats
    world.end_command(Command.JOIN, fails=True)
    assert world.registrar.advance(SECOND).state is NodeState.GONE


def test_a_manager_that_can_not_be_let_into_service_is_held_while_its_vote_is_part_of_the_quorum() -> None:
    world = with_managers(SECOND)
    certify(world, THIRD)
    world.registrar.advance(THIRD)
    world.swarm.join(THIRD, role=Role.MANAGER)
    world.engines.on(THIRD).reachable = False
    world.end_command(Command.JOIN, output=json.dumps({"node_id": "", "state": "active"}))
    with pytest.raises(Unavailable):
        world.registrar.advance(THIRD)
    fall_silent(world, SECOND)
    world.clock.advance(601)
    with pytest.raises(Unavailable, match="of the 2 managers that would remain 1 can be reached"):
        world.registrar.advance(THIRD)
    assert votes(world) == {MANAGER, SECOND, THIRD}
    assert THIRD in world.fleet.actions
    come_back(world, SECOND)
    assert world.registrar.advance(THIRD).state is NodeState.GONE
    assert votes(world) == {MANAGER, SECOND}


def test_a_manager_whose_join_was_never_sent_is_given_up_though_the_swarm_has_no_leader() -> None:
    world = with_managers(SECOND, THIRD)
    certify(world, FOURTH)
    for node_id in (SECOND, THIRD):
        fall_silent(world, node_id)
    with pytest.raises(NoLeader):
        world.registrar.advance(FOURTH)
    world.clock.advance(601)
    assert world.registrar.advance(FOURTH).state is NodeState.GONE


# Asking.


def test_a_worker_joins_while_one_manager_is_dead() -> None:
    world = with_managers(SECOND, THIRD)
    fall_silent(world, MANAGER)
    assert world.join(WORKER).state is NodeState.READY


def test_the_one_that_answered_is_asked_first_the_next_time() -> None:
    world = with_managers(SECOND, THIRD)
    fall_silent(world, MANAGER)
    managers = world.managers
    managers.nodes()
    asked: list[NodeId] = []
    managers.ask(lambda manager: asked.append(manager.id))
    assert asked == [SECOND]


def test_no_leader_is_told_apart_from_no_answer() -> None:
    world = with_managers(SECOND, THIRD)
    for node_id in (SECOND, THIRD):
        fall_silent(world, node_id)
    with pytest.raises(NoLeader):
        world.managers.nodes()
    world.swarm.unreachable.add(MANAGER)
    with pytest.raises(NoManager, match="no manager answers"):
        world.managers.nodes()


def test_a_join_that_waits_for_a_leader_is_not_given_up_as_the_nodes_own_fault() -> None:
    world = with_managers(SECOND, THIRD)
    waiting = world.launch(WORKER)
    world.commands.register(WORKER)
    world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    world.registrar.advance(WORKER)
    listed = world.swarm.join(WORKER)
    for node_id in (SECOND, THIRD):
        fall_silent(world, node_id)
    world.end_command(Command.JOIN, output=json.dumps({"node_id": listed.id, "state": "active"}))
    for _ in range(4):
        world.clock.advance(100)
        with pytest.raises(NoLeader):
            world.registrar.advance(WORKER)
    assert world.node(WORKER).state is NodeState.JOINED
    come_back(world, SECOND)
    assert world.registrar.advance(WORKER).state is NodeState.READY


# Leaving.


def test_a_manager_that_leaves_is_demoted_first_and_then_taken_off_the_list() -> None:
    world = with_managers(SECOND, THIRD)
    told_to_end(world, SECOND)
    assert votes(world) == {MANAGER, THIRD}
    assert world.commands.last(Command.LEAVE).node_id == SECOND
    world.end_command(Command.LEAVE)
    world.swarm.go_down(SECOND)
    world.registrar.advance(SECOND)
    assert world.node(SECOND).state is NodeState.GONE
    assert SECOND not in {each.host_name for each in world.swarm.listed.values()}


def test_a_manager_stays_while_the_others_would_be_no_quorum_and_says_why() -> None:
    world = with_managers(SECOND, THIRD)
    fall_silent(world, THIRD)
    told_to_end(world, SECOND)
    assert votes(world) == {MANAGER, SECOND, THIRD}
    node = world.node(SECOND)
    assert node.state is NodeState.DRAINING
    assert "of the 2 managers that would remain 1 can be reached" in node.reason
    assert Command.LEAVE not in {sent.command for sent in world.commands.sent}
    assert SECOND not in {each.node_id for each in world.fleet.completions}


def test_two_managers_told_to_end_at_once_leave_one_after_the_other() -> None:
    world = with_managers(SECOND, THIRD, FOURTH, NodeId("i-00000000000000eee"))
    told_to_end(world, SECOND)
    told_to_end(world, THIRD)
    assert votes(world) >= {MANAGER, THIRD, FOURTH}
    assert f"another manager, {SECOND}, is leaving" in world.node(THIRD).reason
    world.end_command(Command.LEAVE)
    world.swarm.go_down(SECOND)
    world.registrar.advance(SECOND)
    world.registrar.advance(THIRD)
    assert THIRD not in votes(world)


def test_the_only_manager_waits_for_its_successor() -> None:
    world = with_managers()
    world.with_worker(WORKER)
    told_to_end(world, MANAGER)
    assert "it is the only manager, of 1 other nodes" in world.node(MANAGER).reason
    world.join(SECOND, group="demo-managers", role=Role.MANAGER)
    world.registrar.advance(MANAGER)
    assert votes(world) == {SECOND}
    assert world.node(MANAGER).state is NodeState.LEAVING


def test_the_last_node_of_all_just_goes() -> None:
    world = with_managers()
    told_to_end(world, MANAGER)
    assert world.node(MANAGER).state is NodeState.LEAVING


# Losing.


def lose(world: World, node_id: NodeId) -> None:
    """Two looks, a grace apart."""
    fall_silent(world, node_id)
    world.registrar.advance(node_id)
    world.clock.advance(GRACE_S)
    world.registrar.advance(node_id)


def test_a_silent_manager_is_given_up_ended_through_its_group_and_taken_out_of_the_quorum() -> None:
    world = with_managers(SECOND, THIRD)
    lose(world, SECOND)
    assert world.fleet.replaced == [SECOND]
    world.registrar.terminating(world.waiting(SECOND, world.fleet.actions[SECOND]))
    world.registrar.advance(SECOND)
    assert world.node(SECOND).state is NodeState.GONE
    assert votes(world) == {MANAGER, THIRD}
    assert world.join(FOURTH, group="demo-managers", role=Role.MANAGER).state is NodeState.READY


def test_a_manager_that_the_others_reach_or_that_answers_us_is_not_lost() -> None:
    world = with_managers(SECOND, THIRD)
    world.engines.on(SECOND).reachable = False
    world.registrar.advance(SECOND)
    world.swarm.go_down(THIRD)
    world.registrar.advance(THIRD)
    world.clock.advance(GRACE_S)
    for node_id in (SECOND, THIRD):
        assert world.registrar.advance(node_id).state is NodeState.READY


def test_a_second_silent_manager_is_kept_until_the_first_is_gone() -> None:
    world = with_managers(SECOND, THIRD, FOURTH, NodeId("i-00000000000000eee"))
    lose(world, SECOND)
    lose(world, THIRD)
    assert world.node(THIRD).state is NodeState.READY
    progress = world.registrar.advance(THIRD)
    assert f"another manager, {SECOND}, is lost or leaving" in progress.refused
    world.registrar.terminating(world.waiting(SECOND, world.fleet.actions[SECOND]))
    world.registrar.advance(SECOND)
    assert world.registrar.advance(THIRD).state is NodeState.LOST


def test_nobody_is_given_up_while_the_rest_has_no_quorum() -> None:
    world = with_managers(SECOND, THIRD)
    fall_silent(world, THIRD)
    lose(world, SECOND)
    assert world.node(SECOND).state is NodeState.READY
    assert world.fleet.replaced == []
    assert votes(world) == {MANAGER, SECOND, THIRD}


def test_a_manager_that_ec2_has_ended_loses_its_vote_without_any_grace() -> None:
    world = with_managers(SECOND, THIRD)
    fall_silent(world, SECOND)
    world.fleet.vanish(SECOND)
    world.registrar.advance(SECOND)
    assert world.node(SECOND).state is NodeState.GONE
    assert votes(world) == {MANAGER, THIRD}


def test_a_lost_manager_that_is_back_serves_again() -> None:
    world = with_managers(SECOND, THIRD)
    fall_silent(world, SECOND)
    world.registrar.advance(SECOND)
    come_back(world, SECOND)
    world.clock.advance(GRACE_S)
    assert world.registrar.advance(SECOND).state is NodeState.READY
    assert world.node(SECOND).suspected_at is None


def test_a_lost_manager_whose_vote_is_heard_again_is_not_ended_while_the_others_are_no_quorum() -> None:
    world = with_managers(SECOND, THIRD)
    lose(world, SECOND)
    come_back(world, SECOND)
    fall_silent(world, THIRD)
    held = world.registrar.terminating(world.waiting(SECOND, world.fleet.actions[SECOND]))
    assert "held: 1 of 3 managers can be reached, which is no quorum" in held.detail
    assert world.node(SECOND).state is NodeState.LOST
    assert SECOND in world.fleet.actions
    come_back(world, THIRD)
    world.registrar.advance(SECOND)
    assert SECOND not in world.fleet.actions


def test_the_schedule_has_a_manager_looked_at_that_the_others_do_not_reach() -> None:
    world = with_managers(SECOND, THIRD)
    fall_silent(world, SECOND)
    assert SECOND in world.reconciler.nudge().nodes
