"""Joining: in service only when ready in the Swarm, and every step survives its event twice, late or never."""

from __future__ import annotations

import json

import pytest

from swarmkeeper.domain.joining import JoinLimits
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId, PoolName, Role
from swarmkeeper.errors import AgentNotReady, Unavailable
from swarmkeeper.ports import Command, Event
from tests.fakes import FakeFleet
from tests.fakes.certificates import SIGNING_REQUEST
from tests.fakes.engines import STANDARD
from tests.fakes.fleet import Completion
from tests.unit.services.world import LAUNCH_LIMIT_S, World

NODE = NodeId("i-0000000000000000b")


@pytest.fixture
def world() -> World:
    return World().with_manager()


def test_an_instance_joins_step_by_step_and_is_let_into_service(world: World) -> None:
    node = world.join(NODE)
    assert (node.state, node.hook) == (NodeState.READY, None)
    assert world.fleet.completions == [Completion(NODE, "join", proceed=True)]
    assert world.events.of(Event.NODE_READY) == [{"fleet": "demo", "node": NODE}]


def test_the_certificate_names_the_instance_and_the_address_that_ec2_reports(world: World) -> None:
    world.join(NODE)
    facts = world.fleet.instance(NODE)
    assert facts is not None
    assert world.certificates.signed == [(NODE, facts.address)]


def test_a_node_that_joined_has_the_labels_that_placement_and_people_ask_for(world: World) -> None:
    labels = world.join(NODE).labels
    assert {key: labels[key] for key in STANDARD} == STANDARD
    assert {"pool", "zone", "instance-type", "lifecycle"} <= labels.keys()


def test_no_token_stands_in_any_command(world: World) -> None:
    world.join(NODE)
    text = json.dumps([sent.parameters for sent in world.commands.sent])
    assert "SWMTKN" not in text


def test_the_first_manager_begins_the_swarm_publishes_tokens_and_makes_the_network() -> None:
    world = World()
    world.join(NODE, group="demo-managers", role=Role.MANAGER)
    assert world.commands.last(Command.JOIN).parameters["mode"] == "init"
    assert world.swarm.networks == {"fleet": "10.112.0.0/24"}
    assert world.tokens.current == world.swarm.tokens


def test_a_worker_waits_for_a_manager_and_joins_once_there_is_one() -> None:
    world = World()
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    with pytest.raises(Unavailable, match="no manager"):
        world.registrar.advance(NODE)
    world.with_manager()
    assert world.registrar.advance(NODE).state is NodeState.JOINING


def test_an_agent_that_registers_late_still_joins(world: World) -> None:
    waiting = world.launch(NODE)
    with pytest.raises(AgentNotReady):
        world.registrar.launching(waiting)
    world.commands.register(NODE)
    assert world.registrar.launching(waiting).state is NodeState.CERTIFYING


def test_a_command_finished_event_that_never_comes_is_made_good_by_the_schedule(world: World) -> None:
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    assert NODE in world.reconciler.nudge().nodes
    assert world.registrar.advance(NODE).state is NodeState.JOINING


def test_a_launch_event_that_never_comes_is_made_good_by_the_schedule(world: World) -> None:
    world.launch(NODE)
    world.commands.register(NODE)
    assert NODE in world.reconciler.nudge().nodes
    assert world.registrar.advance(NODE).state is NodeState.CERTIFYING


@pytest.mark.parametrize("times", [2, 3])
def test_every_event_of_a_join_may_come_again(world: World, times: int) -> None:
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    for _ in range(times):
        world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    for _ in range(times):
        world.registrar.advance(NODE)
    listed = world.swarm.join(NODE)
    world.end_command(Command.JOIN, output=json.dumps({"node_id": listed.id}))
    for _ in range(times):
        world.registrar.advance(NODE)
        world.registrar.launching(waiting)
    assert [sent.command for sent in world.commands.sent] == [Command.CSR, Command.JOIN]
    assert len(world.fleet.completions) == 1
    assert world.node(NODE).state is NodeState.READY


def test_a_node_that_the_swarm_does_not_show_ready_is_not_let_in(world: World) -> None:
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    world.registrar.advance(NODE)
    world.end_command(Command.JOIN, output="{}")
    with pytest.raises(Unavailable, match="not yet ready"):
        world.registrar.advance(NODE)
    assert world.fleet.completions == []


def test_a_failed_command_is_sent_once_more(world: World) -> None:
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    world.registrar.advance(NODE)
    world.end_command(Command.JOIN, fails=True)
    world.registrar.advance(NODE)
    assert [sent.command for sent in world.commands.sent] == [Command.CSR, Command.JOIN, Command.JOIN]


def fail_join(world: World, node_id: NodeId) -> None:
    waiting = world.launch(node_id)
    world.commands.register(node_id)
    world.registrar.launching(waiting)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    world.registrar.advance(node_id)
    for _ in range(2):
        world.end_command(Command.JOIN, fails=True)
        world.registrar.advance(node_id)


def test_a_join_that_keeps_failing_ends_abandoned_with_its_reason_and_a_clean_table(world: World) -> None:
    fail_join(world, NODE)
    assert world.fleet.completions == [Completion(NODE, "join", proceed=False)]
    node = world.node(NODE)
    assert (node.state, "failed 2 times: it broke" in node.reason) == (NodeState.GONE, True)
    assert NODE not in [each.id for each in world.store.nodes()]
    assert world.store.fact(f"signing-request/{NODE}") is None
    assert [detail["node"] for detail in world.events.of(Event.LAUNCH_ABANDONED)] == [NODE]


def test_three_abandoned_launches_in_a_row_mark_the_pool_failed(world: World) -> None:
    for number in range(3):
        fail_join(world, NodeId(f"i-0000000000000000{number}"))
    assert world.store.scaling(PoolName("workers")).failed_since is not None


def test_a_node_that_joins_clears_the_count_of_failures(world: World) -> None:
    fail_join(world, NodeId("i-00000000000000001"))
    world.join(NODE)
    assert world.store.scaling(PoolName("workers")).abandoned_in_a_row == 0


def test_a_command_that_is_never_heard_of_again_counts_as_failed(world: World) -> None:
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    world.registrar.launching(waiting)
    world.clock.advance(JoinLimits().certificate_s + 1)
    world.registrar.advance(NODE)
    assert [sent.command for sent in world.commands.sent] == [Command.CSR, Command.CSR]


def test_a_join_gives_up_before_its_hook_does(world: World) -> None:
    waiting = world.launch(NODE)
    with pytest.raises(AgentNotReady):
        world.registrar.launching(waiting)
    world.clock.advance(LAUNCH_LIMIT_S - 10)
    assert world.registrar.advance(NODE).state is NodeState.GONE
    assert world.fleet.completions == [Completion(NODE, "join", proceed=False)]
    assert "launch limit" in world.node(NODE).reason


def test_a_terminate_that_comes_before_the_launch_leaves_a_tombstone_that_the_launch_respects(world: World) -> None:
    launch = world.launch(NODE)
    leaving = world.waiting(NODE, world.fleet.begin_termination(NODE))
    assert world.registrar.terminating(leaving).state is NodeState.GONE
    assert world.registrar.launching(launch).detail == "a tombstone refuses the launch"
    assert world.commands.sent == []


def test_a_foreign_group_is_ignored(world: World) -> None:
    world.fleet.add_group("somebody-elses")
    waiting = world.launch(NODE, group="somebody-elses")
    assert world.registrar.launching(waiting).state is None
    assert world.store.node(NODE) is None


def test_an_instance_that_ec2_does_not_describe_yet_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    with monkeypatch.context() as patch:
        patch.setattr(FakeFleet, "instance", lambda _fleet, _node: None)
        with pytest.raises(Unavailable, match="does not describe"):
            world.registrar.launching(waiting)
    assert world.registrar.launching(waiting).state is NodeState.CERTIFYING
    assert world.node(NODE).address


def test_an_abandoned_launch_whose_burial_was_cut_off_is_counted_once(world: World) -> None:
    world.store.fail("bury_node", Unavailable("cut off"))
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    world.registrar.launching(waiting)
    world.clock.advance(LAUNCH_LIMIT_S)
    with pytest.raises(Unavailable):
        world.registrar.advance(NODE)
    world.registrar.advance(NODE)
    assert world.store.scaling(PoolName("workers")).abandoned_in_a_row == 1
    assert world.node(NODE).state is NodeState.GONE


def test_the_end_of_a_command_that_is_still_said_to_run_comes_again_instead_of_being_lost(world: World) -> None:
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    world.registrar.launching(waiting)
    sent = world.commands.last(Command.CSR)
    with pytest.raises(Unavailable, match="still said to run"):
        world.registrar.command_ended(NODE, sent.id)
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    assert world.registrar.command_ended(NODE, sent.id).state is NodeState.JOINING
    assert world.registrar.command_ended(NODE, "another").state is NodeState.JOINING
