"""What ends a container by itself: waiting, running or idling for too long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import ContainerName, ContainerState, Lifetime, Request
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Event
from swarmkeeper.services.lifetimes import LOOK_S, NOISE_BYTES, PASS_S
from tests.fakes import a_request
from tests.unit.services.world import World

WEB = ContainerName("web-1")


@pytest.fixture
def world() -> World:
    world = World().with_manager()
    world.with_worker("i-0a")
    return world


def mortal(**limits: float) -> Request:
    return replace(a_request(WEB), lifetime=Lifetime(**limits))


def expired(world: World) -> list[str]:
    return [each.reason for each in world.lifetimes.end_overdue()]


def idle_for(world: World, seconds: float, *, sending: int = 0) -> list[str]:
    """Let time pass, a look a minute; every reason for which something expired."""
    reasons: list[str] = []
    for _ in range(round(seconds / LOOK_S)):
        world.clock.advance(LOOK_S)
        if sending and world.store.container(WEB):
            sent = world.engines.on("i-0a").containers[WEB].sent_bytes
            world.engines.change("i-0a", WEB, sent_bytes=sent + sending)
        reasons += expired(world)
    return reasons


def test_a_pending_request_expires_with_what_kept_it_waiting() -> None:
    world = World().with_manager()
    world.placer.create(mortal(pending_s=300.0))
    world.clock.advance(299)
    assert expired(world) == []
    world.clock.advance(1)
    [reason] = expired(world)
    assert reason.startswith("it did not run within 300 s: ")
    assert world.store.container(WEB) is None
    [told] = world.events.of(Event.CONTAINER_EXPIRED)
    assert told == {"fleet": "demo", "name": WEB, "tenant": "acme", "reason": reason}


def test_a_request_expires_while_its_image_is_pulled_and_gives_its_room_back(world: World) -> None:
    waiting = world.placer.create(replace(mortal(pending_s=300.0), image="registry.example/slow:1"))
    assert waiting.state is ContainerState.RESERVED
    world.clock.advance(300)
    assert expired(world) == [f"it did not run within 300 s: {waiting.reason}"]
    assert world.store.container(WEB) is None
    assert world.node("i-0a").containers == 0


def test_one_that_has_run_waits_for_ever_to_run_again(world: World) -> None:
    world.placer.create(mortal(pending_s=300.0))
    world.store.unplace(world.container(), reason="its node ended")
    world.clock.advance(10_000)
    assert expired(world) == []


def test_a_container_is_removed_when_its_time_is_over(world: World) -> None:
    world.placer.create(mortal(running_s=600.0))
    world.clock.advance(599)
    assert expired(world) == []
    world.clock.advance(1)
    assert expired(world) == ["its 600 s were over"]
    assert world.store.container(WEB) is None
    assert world.engines.on("i-0a").containers == {}
    assert world.node("i-0a").containers == 0
    world.clock.advance(1_000)
    assert expired(world) == []


def test_the_watch_of_one_that_was_removed_does_not_concern_another_of_its_name(world: World) -> None:
    world.placer.create(mortal(running_s=60.0))
    world.placer.remove(WEB)
    world.placer.create(a_request(WEB))
    world.clock.advance(60)
    assert expired(world) == []
    assert world.watches.due_watches(now=10**12, most=10) == ()


def test_a_container_without_limits_costs_no_look(world: World) -> None:
    world.placer.create(a_request(WEB))
    world.clock.advance(10**6)
    assert expired(world) == []
    assert world.watches.due_watches(now=world.clock.now(), most=10) == ()


def test_a_container_that_sends_nothing_is_idle(world: World) -> None:
    world.placer.create(mortal(idle_s=600.0))
    assert idle_for(world, 600 - LOOK_S) == []
    assert idle_for(world, 2 * LOOK_S) == ["it sent nothing for 600 s"]


def test_a_container_at_work_is_not_idle(world: World) -> None:
    world.placer.create(mortal(idle_s=600.0))
    assert idle_for(world, 3600, sending=NOISE_BYTES + 1) == []
    assert idle_for(world, 600 + LOOK_S) == ["it sent nothing for 600 s"]


def test_answers_to_its_neighbours_are_no_work_but_a_trickle_is(world: World) -> None:
    world.placer.create(mortal(idle_s=600.0))
    assert idle_for(world, 3600, sending=NOISE_BYTES // 4) == []
    world.placer.remove(WEB)
    world.placer.create(mortal(idle_s=600.0))
    assert idle_for(world, 700, sending=NOISE_BYTES // 40) == ["it sent nothing for 600 s"]


def test_a_container_whose_process_has_ended_is_idle(world: World) -> None:
    world.placer.create(mortal(idle_s=600.0))
    world.engines.change("i-0a", WEB, running=False)
    assert idle_for(world, 700) == ["it sent nothing for 600 s"]


def test_an_engine_that_does_not_answer_makes_nobody_idle(world: World) -> None:
    world.placer.create(mortal(idle_s=600.0))
    world.engines.on("i-0a").reachable = False
    assert idle_for(world, 3600) == []


def test_a_container_that_waits_again_is_looked_at_later(world: World) -> None:
    world.placer.create(mortal(running_s=60.0))
    world.store.unplace(world.container(), reason="its node ended")
    world.clock.advance(120)
    assert expired(world) == []
    world.pending.retry()
    world.clock.advance(LOOK_S)
    assert expired(world) == ["its 60 s were over"]


def test_the_watch_of_a_removed_container_goes_and_spares_the_next_of_its_name(world: World) -> None:
    world.placer.create(mortal(running_s=600.0))
    world.placer.remove(WEB)
    world.clock.advance(500)
    world.placer.create(mortal(running_s=600.0))
    world.clock.advance(200)
    assert expired(world) == []
    assert world.container().state is ContainerState.RUNNING


def test_what_the_engine_does_not_remove_now_is_removed_later(world: World) -> None:
    world.placer.create(mortal(running_s=60.0))
    world.clock.advance(60)
    world.engines.fail("remove", Unavailable("no answer"))
    assert expired(world) == []
    assert world.container().state is ContainerState.REMOVING
    world.pending.settle_named(WEB)
    assert world.store.container(WEB) is None


def test_a_pass_ends_before_its_function_does(world: World) -> None:
    for number in range(5):
        world.placer.create(replace(a_request(f"web-{number}", cpus=0.1), lifetime=Lifetime(running_s=60.0)))
        world.placer.remove(ContainerName("web-4"))
    world.clock.advance(60)
    until = world.clock.now() + PASS_S
    world.clock.advance(PASS_S)
    watches = world.watches.due_watches(now=world.clock.now(), most=10)
    assert [world.lifetimes._look(each, until) for each in watches] == [None] * len(watches)
