"""Join tokens: made anew when somebody asks or their time has come, once, and told to nobody but the nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from swarmkeeper.domain.model import Role
from swarmkeeper.domain.rotation import CLAIM_S
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Event
from tests.fakes import FakeTokens
from tests.unit.services.world import World

DAY_S = 86_400.0


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.check_tokens()
    world.clock.advance(1)
    return world


def test_the_swarms_first_tokens_are_not_rotated_at_once() -> None:
    world = World().with_manager()
    assert world.check_tokens() == "the first rotation is counted from now on"
    assert (world.check_tokens(), world.swarm.rotations) == ("not due", 0)


def test_tokens_are_rotated_when_their_time_has_come_and_then_published(world: World) -> None:
    before = dict(world.swarm.tokens)
    world.clock.advance(30 * DAY_S)
    assert world.check_tokens() == "rotated"
    assert world.tokens.current == world.swarm.tokens
    assert all(world.swarm.tokens[role] != before[role] for role in Role)
    assert world.check_tokens() == "not due"


def test_without_a_period_only_who_asks_gets_new_tokens(world: World) -> None:
    world.token_rotation_s = None
    world.clock.advance(1000 * DAY_S)
    assert world.check_tokens() == "not due"
    assert world.rotation_requests.ask().is_awaited
    world.clock.advance(1)
    assert world.check_tokens() == "rotated"
    assert not world.rotation_requests.standing().is_awaited


def test_what_is_asked_for_is_told_as_an_event_and_an_event_that_comes_again_rotates_once(world: World) -> None:
    world.rotation_requests.ask()
    assert world.events.of(Event.TOKENS_DUE) == [{"fleet": "demo"}]
    world.clock.advance(1)
    assert [world.check_tokens() for _ in range(3)] == ["rotated", "not due", "not due"]
    assert world.swarm.rotations == 1


def test_a_rotation_that_was_cut_off_is_done_again_once_its_claim_is_old(world: World) -> None:
    world.rotation_requests.ask()
    world.clock.advance(1)
    world.tokens.fail("publish", Unavailable("cut off"))
    with pytest.raises(Unavailable):
        world.check_tokens()
    assert world.check_tokens() == "a rotation is under way"
    world.clock.advance(CLAIM_S)
    assert world.check_tokens() == "rotated"
    assert world.tokens.current == world.swarm.tokens


def test_of_two_calls_that_meet_one_rotates(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.rotation_requests.ask()
    world.clock.advance(1)
    met: list[str] = []
    replace = world.store.replace_fact

    def meeting(name: str, *, expected: str | None, value: str | None) -> None:
        if not met:
            met.append(name)
            assert world.check_tokens() == "rotated"
        replace(name, expected=expected, value=value)

    monkeypatch.setattr(world.store, "replace_fact", meeting)
    with pytest.raises(Conflict):
        world.check_tokens()
    assert world.swarm.rotations == 1


def test_who_asks_while_others_are_being_made_is_not_forgotten(world: World) -> None:
    world.rotation_requests.ask()
    world.clock.advance(1)
    world.tokens.fail("publish", Unavailable("cut off"))
    with pytest.raises(Unavailable):
        world.check_tokens()
    world.clock.advance(1)
    world.rotation_requests.ask()
    with pytest.raises(Unavailable, match="while others are being made"):
        world.check_tokens()


def test_without_a_manager_a_rotation_waits() -> None:
    world = World()
    world.rotation_requests.ask()
    with pytest.raises(Unavailable, match="no manager"):
        world.check_tokens()


class RotatingBehindUs(FakeTokens):
    """Somebody else rotates right after the first write."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def publish(self, tokens: Mapping[Role, str]) -> None:
        super().publish(tokens)
        if self.publications == 1:
            self._world.swarm.rotate_join_tokens(self._world.node("i-00000000000000aaa"))


def test_what_is_published_last_is_what_the_swarm_takes(world: World) -> None:
    world.tokens = RotatingBehindUs(world)
    world.token_keeper.publish(world.node("i-00000000000000aaa"))
    assert world.tokens.current == world.swarm.tokens
    assert world.tokens.publications == 2


def test_a_token_stands_in_no_fact_event_or_command(world: World) -> None:
    world.rotation_requests.ask()
    world.clock.advance(1)
    world.check_tokens()
    world.join("i-0000000000000000b")
    facts = [world.store.fact(name) for name in ("join-tokens/rotation", "join-tokens/asked")]
    told = json.dumps([facts, world.events.published, [sent.parameters for sent in world.commands.sent]], default=str)
    assert "SWMTKN" not in told
