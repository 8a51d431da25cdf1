"""Commands: each step sends one, however its events meet, and a call that dies in the middle is made good."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId, SentCommand
from swarmkeeper.errors import AgentNotReady, Conflict, NodeChanged, Unavailable
from swarmkeeper.ports import Command
from swarmkeeper.services.sending import CLAIM_S
from tests.fakes.certificates import SIGNING_REQUEST
from tests.unit.services.world import LAUNCH_LIMIT_S, World

NODE = NodeId("i-0000000000000000b")
Act = Callable[[], object]


class Killed(Exception):
    """The function ran out of time or memory: nobody handles this."""


def before_csr(world: World) -> Act:
    """Bring the node to the moment before its signing request is asked for; returns what asks."""
    waiting = world.launch(NODE)
    world.commands.register(NODE)
    return lambda: world.registrar.launching(waiting)


def before_join(world: World) -> Act:
    before_csr(world)()
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    return lambda: world.registrar.advance(NODE)


def before_leave(world: World) -> Act:
    world.with_worker(NODE)
    waiting = world.waiting(NODE, world.fleet.begin_termination(NODE))
    return lambda: world.registrar.terminating(waiting)


STEPS = [
    pytest.param(before_csr, Command.CSR, id="csr"),
    pytest.param(before_join, Command.JOIN, id="join"),
    pytest.param(before_leave, Command.LEAVE, id="leave"),
]
MOMENTS = [
    pytest.param("store", "node", "after", id="after it has read the record"),
    pytest.param("commands", "send", "before", id="before it sends"),
    pytest.param("commands", "send", "after", id="before it notes what it sent"),
]


@pytest.fixture
def world() -> World:
    return World().with_manager()


def in_the_midst(world: World, part: str, method: str, when: str, act: Act) -> None:
    """Run the act once, before or after the next call of the fake's method takes effect."""
    fake = getattr(world, part)
    original = getattr(fake, method)

    def met(*args: object, **kwargs: object) -> object:
        setattr(fake, method, original)
        if when == "before":
            act()
        answer = original(*args, **kwargs)
        if when == "after":
            act()
        return answer

    setattr(fake, method, met)


def deliver(act: Act) -> None:
    """As the queue does: what can't be done now comes again."""
    with suppress(Conflict, Unavailable):
        act()


def noted(world: World) -> SentCommand:
    """The command on the node's record."""
    command = world.node(NODE).command
    assert command is not None
    return command


def sent(world: World, command: Command) -> list[str]:
    return [each.id for each in world.commands.sent if each.command is command]


@pytest.mark.parametrize(("part", "method", "when"), MOMENTS)
@pytest.mark.parametrize(("prepare", "command"), STEPS)
def test_an_event_that_comes_twice_at_once_sends_one_command(
    world: World, prepare: Callable[[World], Act], command: Command, part: str, method: str, when: str
) -> None:
    act = prepare(world)
    in_the_midst(world, part, method, when, lambda: deliver(act))
    deliver(act)
    for _ in range(2):
        deliver(act)
    assert sent(world, command) == [noted(world).id]


@pytest.mark.parametrize(("prepare", "command"), STEPS)
def test_a_call_that_died_before_it_sent_is_made_good_once_it_must_have_ended(
    world: World, prepare: Callable[[World], Act], command: Command
) -> None:
    act = prepare(world)
    world.commands.fail("send", Killed())
    with pytest.raises(Killed):
        act()
    world.clock.advance(CLAIM_S - 1)
    with pytest.raises(Unavailable):
        world.registrar.advance(NODE)
    assert sent(world, command) == []
    world.clock.advance(1)
    deliver(lambda: world.registrar.advance(NODE))
    assert ([noted(world).id], noted(world).attempt) == (sent(world, command), 1)


@pytest.mark.parametrize("error", [AgentNotReady("not registered"), Unavailable("throttled")])
@pytest.mark.parametrize(("prepare", "command"), STEPS)
def test_what_aws_would_not_send_is_sent_by_the_next_call(
    world: World, prepare: Callable[[World], Act], command: Command, error: Unavailable
) -> None:
    act = prepare(world)
    world.commands.fail("send", error, times=2)
    for _ in range(3):
        deliver(act)
    assert len(sent(world, command)) == 1


def test_a_command_that_ends_before_its_sender_has_noted_it_is_not_forgotten(world: World) -> None:
    act = before_csr(world)

    def end() -> None:
        world.end_command(Command.CSR, output=SIGNING_REQUEST)
        with pytest.raises(Unavailable, match="being sent"):  # the event comes again
            world.registrar.advance(NODE)

    in_the_midst(world, "commands", "send", "after", end)
    act()
    assert world.registrar.advance(NODE).state is NodeState.JOINING


def test_a_change_of_the_record_while_the_command_is_sent_is_kept_beside_its_id(world: World) -> None:
    act = before_csr(world)
    in_the_midst(
        world, "commands", "send", "before", lambda: world.store.save_node(replace(world.node(NODE), health=50))
    )
    act()
    assert ([noted(world).id], world.node(NODE).health) == (sent(world, Command.CSR), 50)


def test_a_sender_whose_node_was_buried_meanwhile_leaves_the_tombstone_alone(world: World) -> None:
    act = before_csr(world)

    def bury() -> None:
        world.registrar.terminating(world.waiting(NODE, world.fleet.begin_termination(NODE)))

    in_the_midst(world, "commands", "send", "before", bury)
    with pytest.raises(NodeChanged):
        act()
    assert (world.node(NODE).state, noted(world).is_claim) == (NodeState.GONE, True)


def test_a_sender_that_was_taken_for_dead_does_not_overwrite_its_successor(world: World) -> None:
    act = before_join(world)

    def take_over() -> None:
        world.clock.advance(CLAIM_S)
        world.registrar.advance(NODE)

    in_the_midst(world, "commands", "send", "before", take_over)
    with pytest.raises(NodeChanged):
        act()
    successor, _late = sent(world, Command.JOIN)
    assert noted(world).id == successor


def test_a_join_that_is_sent_again_carries_the_same_certificate(world: World) -> None:
    act = before_join(world)
    world.commands.fail("send", Killed(), after=True)
    with pytest.raises(Killed):
        act()
    world.clock.advance(CLAIM_S)
    world.registrar.advance(NODE)
    world.end_command(Command.JOIN, fails=True)
    world.registrar.advance(NODE)
    joins = [each.parameters["certificate"] for each in world.commands.sent if each.command is Command.JOIN]
    assert (len(joins), len(set(joins)), len(world.certificates.signed)) == (3, 1, 1)


def test_two_calls_that_sign_at_once_send_the_certificate_that_was_kept_first(world: World) -> None:
    act = before_join(world)

    def another_signs() -> None:
        world.store.set_fact_once(f"certificate/{NODE}", "the first one")

    in_the_midst(world, "certificates", "sign", "after", another_signs)
    act()
    assert world.store.fact(f"certificate/{NODE}") == "the first one"
    assert world.commands.last(Command.JOIN).parameters["certificate"] == "dGhlIGZpcnN0IG9uZQ=="


def test_signing_request_and_certificate_are_forgotten_when_the_join_has_ended(world: World) -> None:
    world.join(NODE)
    assert [world.store.fact(f"{kind}/{NODE}") for kind in ("signing-request", "certificate")] == [None, None]


def test_a_refused_second_try_is_still_the_second(world: World) -> None:
    before_join(world)()
    world.end_command(Command.JOIN, fails=True)
    world.commands.fail("send", AgentNotReady("not registered"))
    deliver(lambda: world.registrar.advance(NODE))
    world.registrar.advance(NODE)
    world.end_command(Command.JOIN, fails=True)
    assert world.registrar.advance(NODE).state is NodeState.GONE
    assert "failed 2 times" in world.node(NODE).reason


def test_a_launch_whose_agent_never_registered_says_so(world: World) -> None:
    waiting = world.launch(NODE)
    deliver(lambda: world.registrar.launching(waiting))
    world.clock.advance(LAUNCH_LIMIT_S)
    world.registrar.advance(NODE)
    assert "node-csr could not be sent" in world.node(NODE).reason


def test_a_leave_that_fails_is_sent_once_more_while_the_swarm_shows_the_node_ready(world: World) -> None:
    before_leave(world)()
    for _ in range(2):
        world.end_command(Command.LEAVE, fails=True)
        for _ in range(2):
            with pytest.raises(Unavailable):
                world.registrar.advance(NODE)
    assert len(sent(world, Command.LEAVE)) == 2
    world.swarm.go_down(NODE)
    assert world.registrar.advance(NODE).state is NodeState.GONE


def test_a_node_that_can_not_be_commanded_is_buried_once_the_swarm_shows_it_down(world: World) -> None:
    act = before_leave(world)
    world.commands.deregister(NODE)
    act()
    with pytest.raises(Unavailable):
        world.registrar.advance(NODE)
    world.swarm.go_down(NODE)
    assert world.registrar.advance(NODE).state is NodeState.GONE


def test_a_whole_join_with_every_event_doubled_sends_each_command_once(world: World) -> None:
    deliver_twice = before_csr(world)
    in_the_midst(world, "commands", "send", "before", lambda: deliver(deliver_twice))
    deliver_twice()
    world.end_command(Command.CSR, output=SIGNING_REQUEST)
    in_the_midst(world, "commands", "send", "before", lambda: deliver(lambda: world.registrar.advance(NODE)))
    world.registrar.advance(NODE)
    listed = world.swarm.join(NODE)
    world.end_command(Command.JOIN, output=json.dumps({"node_id": listed.id}))
    in_the_midst(world, "store", "node", "after", lambda: deliver(lambda: world.registrar.advance(NODE)))
    deliver(lambda: world.registrar.advance(NODE))
    assert [each.command for each in world.commands.sent] == [Command.CSR, Command.JOIN]
    assert world.node(NODE).state is NodeState.READY
    assert len(world.fleet.completions) == 1
