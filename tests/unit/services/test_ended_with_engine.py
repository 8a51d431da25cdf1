"""What ended with its engine runs again once the engine was started anew; what ended by itself stays ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from swarmkeeper.domain.model import ContainerName, ContainerState, NodeId, Rules
from swarmkeeper.errors import Conflict, Declined, InvalidInput, Unavailable
from swarmkeeper.services.inventory import HAS_ENDED, NOT_YET, START_LEASE_S, Found
from tests.fakes import a_limit, a_request
from tests.unit.services.world import World

NODE = NodeId("i-0a")
WEB = ContainerName("web-1")


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker(NODE)
    world.placer.create(a_request(WEB))
    return world


def test_it_is_started_again_where_it_is(world: World) -> None:
    world.engines.restart(NODE)
    assert world.inventory.check(NODE) == Found(NODE, started=(WEB,))
    assert world.engines.running(WEB) == [NODE]
    assert (world.container().reason, world.container().lease_until) == ("", 0.0)
    assert world.inventory.check(NODE) == Found(NODE)


def test_what_had_ended_by_itself_before_stays_ended(world: World) -> None:
    world.engines.change(NODE, WEB, running=False)
    world.inventory.check(NODE)
    world.engines.change(NODE, WEB, cut_off=True)
    assert world.inventory.check(NODE) == Found(NODE)
    assert (world.engines.running(WEB), world.container().reason) == ([], HAS_ENDED)


@pytest.mark.parametrize("answer", [Declined("the network is not there yet"), Unavailable("it does not answer")])
def test_what_the_engine_does_not_start_yet_is_tried_again(world: World, answer: Exception) -> None:
    world.engines.restart(NODE)
    world.engines.fail("start", answer)
    with pytest.raises(Unavailable, match="1 wait to be started again"):
        world.inventory.check(NODE)
    assert world.container().reason == NOT_YET
    assert world.inventory.check(NODE).started == (WEB,)
    assert world.container().reason == ""


def test_a_start_whose_answer_was_lost_is_found_to_run(world: World) -> None:
    world.engines.restart(NODE)
    world.engines.fail("start", Unavailable("the answer is lost"), after=True)
    with pytest.raises(Unavailable):
        world.inventory.check(NODE)
    assert world.inventory.check(NODE) == Found(NODE)
    assert (world.engines.running(WEB), world.container().reason) == ([NODE], "")


def test_what_a_look_found_ended_while_its_engine_was_going_down_runs_again(world: World) -> None:
    world.engines.change(NODE, WEB, running=False)
    world.inventory.check(NODE)
    assert world.container().reason == HAS_ENDED
    world.engines.change(NODE, WEB, cut_off=True, ended_before_s=12.0)
    assert world.inventory.check(NODE) == Found(NODE, started=(WEB,))
    assert (world.engines.running(WEB), world.container().reason) == ([NODE], "")


@pytest.mark.parametrize("refusal", [Conflict("it is gone"), InvalidInput("Cmd", "can't be run")])
def test_what_can_not_run_any_more_is_told_to_have_ended(world: World, refusal: Exception) -> None:
    world.engines.restart(NODE)
    world.engines.fail("start", refusal)
    assert world.inventory.check(NODE) == Found(NODE)
    assert world.container().reason == HAS_ENDED


def test_one_that_waits_holds_up_nobody_else(world: World) -> None:
    world.placer.create(a_request("web-2"))
    world.engines.restart(NODE)
    world.engines.fail("start", Declined("not yet"))
    with pytest.raises(Unavailable):
        world.inventory.check(NODE)
    assert len([*world.engines.running(WEB), *world.engines.running("web-2")]) == 1


def test_one_that_leans_on_another_is_started_after_it_and_waits_for_it(world: World) -> None:
    world.placer.create(replace(a_request("a-side"), rules=Rules(network_mode=f"container:{WEB}")))
    world.engines.restart(NODE)
    world.engines.fail("start", Declined("not yet"))  # the first one, which must be what the other leans on
    world.engines.fail("start", Conflict("cannot join the network of a container that does not run"))
    with pytest.raises(Unavailable, match="2 wait to be started again"):
        world.inventory.check(NODE)
    assert (world.container(WEB).reason, world.container("a-side").reason) == (NOT_YET, NOT_YET)
    assert world.inventory.check(NODE).started == (WEB, "a-side")


def moved(world: World) -> None:
    target = world.with_worker("i-0b")
    world.store.begin_move(world.container(), target, a_limit(target, world.container().request))


def removed(world: World) -> None:
    world.store.begin_removal(world.container())


@pytest.mark.parametrize("change", [moved, removed])
@pytest.mark.parametrize("when", ["containers_on", "lease"])
def test_what_somebody_moves_or_removes_is_left_to_them(
    world: World, change: Callable[[World], None], when: str
) -> None:
    world.engines.restart(NODE)

    def meanwhile(operation: object) -> None:
        if getattr(operation, "name", "") == when:
            world.store.before = lambda _: None
            change(world)

    world.store.before = meanwhile
    assert world.inventory.check(NODE).started == ()
    assert world.engines.running(WEB) == []


def test_a_removal_that_is_asked_for_during_the_start_holds_up_nobody_else(world: World) -> None:
    world.placer.create(a_request("web-2"))
    world.engines.restart(NODE)

    def meanwhile(operation: object) -> None:
        if getattr(operation, "name", "") == "explain":
            world.store.before = lambda _: None
            removed(world)

    world.store.before = meanwhile
    assert set(world.inventory.check(NODE).started) == {WEB, "web-2"}
    assert world.container().state is ContainerState.REMOVING
    assert world.container("web-2").reason == ""


def test_what_a_call_works_on_is_looked_at_again_once_that_is_over(world: World) -> None:
    world.engines.restart(NODE)
    world.store.lease(world.container(), until=world.clock.now() + START_LEASE_S)
    with pytest.raises(Unavailable, match="is being worked on"):
        world.inventory.check(NODE)
    assert world.engines.running(WEB) == []
    world.clock.advance(START_LEASE_S)
    assert world.inventory.check(NODE).started == (WEB,)
    assert world.container().state is ContainerState.RUNNING


def test_what_ended_by_itself_after_a_start_whose_answer_was_lost_is_told_and_stays_ended(world: World) -> None:
    world.engines.restart(NODE)
    world.engines.fail("start", Unavailable("the answer is lost"), after=True)
    with pytest.raises(Unavailable):
        world.inventory.check(NODE)
    world.engines.change(NODE, WEB, running=False)
    assert world.inventory.check(NODE) == Found(NODE, ended=(WEB,))
    assert world.container().reason == HAS_ENDED
    world.engines.restart(NODE)
    assert world.inventory.check(NODE) == Found(NODE)
    assert world.engines.running(WEB) == []
