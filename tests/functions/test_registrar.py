"""The registrar function through its handler: partial batches, soon again, nothing dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from functions.registrar import handler as registrar
from functions.registrar.messages import SOON_S, retry_after_s
from functions.registrar.wiring import Wired
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import SNAPSHOT_LABEL, NodeId, PoolName
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Command
from tests.fakes import a_request
from tests.fakes.certificates import SIGNING_REQUEST
from tests.functions.recorded import Context, in_queue, recorded
from tests.unit.services.world import FLEET, World

NODE, OTHER = NodeId("i-0123456789abcdef0"), NodeId("i-0123456789abcdef1")
BASE = "registry.example/base:1"


class FakeMessages:
    """Receipts that were asked to come again."""

    def __init__(self) -> None:
        self.retried: list[tuple[str, int]] = []

    def retry_in(self, receipt_handle: str, seconds: int) -> None:
        self.retried.append((receipt_handle, seconds))


@pytest.fixture
def messages() -> FakeMessages:
    return FakeMessages()


def renewals(world: World) -> Callable[[], bool]:
    """Notes in the fleet's facts that certificates were looked at."""

    def look() -> bool:
        world.store.set_fact_once("looked-at-certificates", "yes")
        return False

    return look


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, messages: FakeMessages) -> World:
    world = World().with_manager()
    wired = Wired(world.registrar, messages, FLEET, world.check_tokens, renewals(world))  # type: ignore[arg-type]  # a fake in the queue's place
    monkeypatch.setattr(registrar, "wired", lambda: wired)
    return world


def failures(*bodies: object) -> list[str]:
    answer: dict[str, Any] = registrar.handler(in_queue(*bodies), Context())
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def state(world: World) -> NodeState:
    return world.node(NODE).state


def test_a_launch_whose_agent_is_not_there_yet_comes_again_in_seconds(world: World, messages: FakeMessages) -> None:
    world.launch(NODE)
    assert failures(recorded("launch_hook")) == ["message-1"]
    assert messages.retried == [("receipt-1", SOON_S)]
    world.commands.register(NODE)
    assert failures(recorded("launch_hook")) == []
    assert state(world) is NodeState.CERTIFYING


def test_the_end_of_a_command_goes_on_with_the_join(world: World) -> None:
    world.launch(NODE)
    world.commands.register(NODE)
    failures(recorded("launch_hook"))
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    assert failures(recorded("csr_succeeded")) == []
    assert state(world) is NodeState.JOINING


def test_one_failed_message_does_not_hold_up_the_others(world: World) -> None:
    world.launch(NODE)
    world.commands.register(NODE)
    assert failures("not json", recorded("launch_hook"), {"id": "x"}) == ["message-1", "message-3"]
    assert state(world) is NodeState.CERTIFYING


@pytest.mark.parametrize("body", ["not json", {}, {"detail-type": "x"}, []])
def test_a_malformed_message_is_reported_and_left_for_the_dead_letter_queue(
    world: World, messages: FakeMessages, body: object
) -> None:
    assert failures(body) == ["message-1"]
    assert messages.retried == []


@pytest.mark.parametrize(
    "event",
    [
        recorded("launch_hook", AutoScalingGroupName="somebody-elses"),
        recorded("terminate_hook", AutoScalingGroupName="somebody-elses"),
        recorded("csr_succeeded", **{"document-name": "AWS-RunPatchBaseline"}),
        recorded("csr_succeeded", status="InProgress"),
    ],
)
def test_foreign_events_are_taken_and_change_nothing(world: World, event: dict[str, Any]) -> None:
    assert failures(event) == []
    assert world.store.node(NODE) is None


def test_the_terminate_event_before_the_launch_event_leaves_a_tombstone(world: World) -> None:
    world.launch(NODE)
    world.fleet.begin_termination(NODE)
    assert failures(recorded("terminate_hook"), recorded("launch_hook")) == []
    assert state(world) is NodeState.GONE
    assert world.commands.sent == []


def test_what_takes_longer_is_asked_for_less_often() -> None:
    pauses = [retry_after_s(receives) for receives in range(1, 61)]
    assert (pauses[0], pauses[3], pauses[4], pauses[-1]) == (5, 5, 10, 30)
    assert sum(pauses) > 20 * 60


def test_a_drain_with_more_to_move_comes_again(world: World, messages: FakeMessages) -> None:
    world.fleet.set_desired("demo-workers", 2)
    world.with_worker(NODE)
    for number in range(4):
        world.placer.create(a_request(f"web-{number}", movable=True))
    world.with_worker("i-0b")
    world.store.save_node(replace(world.node(NODE), state=NodeState.DRAINING, state_since=world.clock.now()))
    event = recorded("node_draining", node=NODE)
    assert failures(event) == ["message-1"]
    assert failures(event) == []
    assert world.node("i-0b").containers == 4


def test_the_schedule_and_whoever_asks_have_certificates_and_join_tokens_looked_at(world: World) -> None:
    assert failures(recorded("schedule")) == []
    assert world.store.fact("looked-at-certificates") == "yes"
    world.clock.advance(1)
    world.rotation_requests.ask()
    world.clock.advance(1)
    assert failures(recorded("tokens_due"), recorded("tokens_due")) == []
    assert world.swarm.rotations == 1


def test_new_tokens_that_cant_be_made_yet_are_tried_again_soon(world: World, messages: FakeMessages) -> None:
    world.rotation_requests.ask()
    world.clock.advance(1)
    world.swarm.fail("rotate_join_tokens", Unavailable("no leader"))
    assert failures(recorded("tokens_due")) == ["message-1"]
    assert messages.retried == [("receipt-1", SOON_S)]


@pytest.mark.parametrize("document", ["demo-node-pull", "demo-node-pull-windows"])
def test_the_end_of_a_pull_goes_on_with_a_join_that_waits_for_it(world: World, document: str) -> None:
    name = PoolName("workers")
    world.plans[name] = replace(world.plans[name], images=(BASE,))
    assert world.join(NODE).state is NodeState.JOINED
    world.end_command(Command.PULL)
    world.engines.pull(NODE, BASE)
    assert failures(recorded("pull_succeeded", **{"document-name": document})) == []
    assert state(world) is NodeState.READY


def test_the_end_of_a_pull_for_a_container_changes_no_node(world: World) -> None:
    before = world.join(NODE)
    assert failures(recorded("pull_succeeded")) == []
    assert world.node(NODE) == before


def saving(world: World) -> str:
    """A container's layer is being saved on the node; returns the command's id."""
    world.with_worker(NODE)
    request = a_request("web-1", movable=True)
    world.placer.create(replace(request, labels={SNAPSHOT_LABEL: "true"}))
    world.engines.write(NODE, "web-1", "notes")
    world.with_worker(OTHER)
    world.store.save_node(replace(world.node(NODE), state=NodeState.DRAINING, state_since=world.clock.now()))
    assert failures(recorded("node_draining", node=NODE)) == []
    return world.commands.last(Command.SAVE).id


def test_the_end_of_a_save_and_of_its_pull_go_on_with_the_move(world: World) -> None:
    sent = saving(world)
    world.run_save(world.commands.last(Command.SAVE))
    assert failures(recorded("save_succeeded", **{"command-id": sent})) == []
    pull = world.commands.last(Command.PULL)
    world.engines.pull(OTHER, pull.parameters["image"])
    arrived = {"command-id": pull.id, "instance-id": OTHER}
    assert failures(recorded("pull_succeeded", **arrived), recorded("pull_succeeded", **arrived)) == []
    assert world.engines.running("web-1") == [OTHER]
    assert world.engines.on(OTHER).containers[world.container().name].written == ("notes",)


def test_the_end_of_a_save_that_is_still_said_to_run_comes_again(world: World, messages: FakeMessages) -> None:
    sent = saving(world)
    assert failures(recorded("save_succeeded", **{"command-id": sent})) == ["message-1"]
    assert messages.retried == [("receipt-1", SOON_S)]


def test_the_end_of_a_save_may_be_told_twice_and_of_none_of_ours(world: World) -> None:
    sent = saving(world)
    world.run_save(world.commands.last(Command.SAVE), fails=True)
    told = recorded("save_succeeded", **{"command-id": sent, "status": "Failed"})
    assert failures(told, told, recorded("save_succeeded")) == []
    assert world.engines.running("web-1") == [NODE]


def test_a_silent_node_is_asked_for_again_soon_until_it_is_lost_and_replaced(
    world: World, messages: FakeMessages
) -> None:
    world.with_worker(NODE)
    world.with_worker("i-0b")
    fall_silent(world)
    assert failures(recorded("membership_check")) == ["message-1"]
    assert messages.retried == [("receipt-1", SOON_S)]
    world.clock.advance(world.losses.grace_s)
    assert failures(recorded("membership_check"), recorded("membership_check")) == ["message-2"]
    assert state(world) is NodeState.LOST
    assert world.fleet.replaced == [NODE]


@pytest.mark.parametrize("first", ["terminate_hook", "membership_check"])
def test_the_end_of_a_lost_node_may_be_told_twice_and_in_any_order(world: World, first: str) -> None:
    world.with_worker(NODE)
    world.with_worker("i-0b")
    fall_silent(world)
    failures(recorded("membership_check"))
    world.clock.advance(world.losses.grace_s)
    failures(recorded("membership_check"))
    token = world.fleet.actions[NODE].token
    events = [recorded("terminate_hook", LifecycleActionToken=token), recorded("membership_check")]
    order = events if first == "terminate_hook" else events[::-1]
    for event in (*order, *order, *reversed(order)):
        failures(event)
    assert state(world) is NodeState.GONE
    assert [(one.node_id, one.hook) for one in world.fleet.completions] == [(NODE, "leave")]
    assert failures(*order, *order) == []


def test_a_loss_that_is_refused_is_logged_and_measured(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.with_worker(NODE)
    world.with_worker(OTHER)
    for node_id in (NODE, OTHER):
        fall_silent(world, node_id)
        failures(recorded("membership_check", node=node_id))
    world.clock.advance(world.losses.grace_s)
    capsys.readouterr()
    assert failures(recorded("membership_check")) == []
    assert '"LossesRefused":[1.0]' in capsys.readouterr().out.replace(" ", "")
    assert state(world) is NodeState.READY


def fall_silent(world: World, node_id: NodeId = NODE) -> None:
    world.engines.on(node_id).reachable = False
    world.swarm.go_down(node_id)


def test_a_spot_interruption_drains_the_node_once_however_often_it_is_told(world: World) -> None:
    world.with_worker(NODE)
    world.placer.create(a_request("web-1"))
    assert failures(recorded("rebalance")) == []
    events = [recorded("spot_interruption"), recorded("rebalance"), recorded("spot_interruption")]
    failures(*events)
    node = world.node(NODE)
    assert node.leaving is not None
    assert (node.state, node.leaving.cause, node.leaving.by) == (
        NodeState.DRAINING,
        "spot-interruption",
        1_700_000_120.0,
    )
    assert failures(recorded("spot_interruption", **{"instance-id": "i-0fffffffffffffff0"})) == []
