"""A process may die at any call of anything: what it began heals, without a leaked reservation or a second copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import Random

import pytest

from swarmkeeper.domain.model import ContainerName, ContainerState, Lifetime, Node, Request
from swarmkeeper.errors import Declined, InvalidInput, SwarmkeeperError, Unavailable, Unreachable
from tests.fakes import a_request
from tests.fakes.crashes import Crash, Interruption
from tests.unit.services.healing import assert_at_most_one_copy_runs, assert_sound, end_pulls, heal, process, tick
from tests.unit.services.world import World

WEB = ContainerName("web-1")
OTHER = ContainerName("web-2")
PAIRS = 60
"""How many pairs of interruptions, the second one in the healing, are drawn for each scenario."""

Act = Callable[[World], object]
Meanwhile = Callable[[World], None]


def two_workers() -> World:
    world = World().with_manager()
    world.with_worker("i-0a")
    world.with_worker("i-0b")
    return world


def without_image() -> World:
    world = two_workers()
    for node in ("i-0a", "i-0b"):
        world.engines.on(node).images.clear()
    return world


def create(world: World, request: Request | None = None) -> object:
    return world.placer.create(request or a_request(WEB))


def mortal() -> Request:
    return replace(a_request(WEB), lifetime=Lifetime(running_s=100.0))


def failing(method: str, error: Exception, *, times: int = 1, after: bool = False) -> Callable[[], World]:
    def arranged() -> World:
        world = two_workers()
        world.engines.fail(method, error, times=times, after=after)
        return world

    return arranged


def running() -> World:
    world = two_workers()
    create(world)
    return world


def waiting() -> World:
    world = World().with_manager()
    for name in (WEB, OTHER):
        create(world, a_request(name))
    world.with_worker("i-0a", slots=1)
    world.with_worker("i-0b", slots=1)
    return world


def waiting_for_image() -> World:
    world = without_image()
    create(world)
    return world


def grown_old() -> World:
    world = two_workers()
    create(world, mortal())
    world.clock.advance(200.0)
    return world


def removed_by_hand() -> World:
    world = running()
    del world.engines.on(str(world.container().node)).containers[WEB]
    return world


def check_all(world: World) -> None:
    for node in world.store.nodes():
        world.inventory.check(node.id)


SCENARIOS: dict[str, tuple[Callable[[], World], Act]] = {
    "created": (two_workers, create),
    "created with a limited life": (two_workers, lambda world: create(world, mortal())),
    "created without its image": (without_image, create),
    "the pull has ended": (waiting_for_image, lambda world: end_pulls_of(world)),
    "the pull has failed": (waiting_for_image, lambda world: world.end_pull(fails=True)),
    "the engine declines to create": (failing("create", Declined("disk full")), create),
    "the engine declines to start": (failing("start", Declined("no network")), create),
    "all engines decline": (failing("start", Declined("no network"), times=9), create),
    "nobody answers to create": (failing("create", Unreachable("no route")), create),
    "nobody answers to start": (failing("start", Unreachable("no route")), create),
    "the answer to create is lost": (failing("create", Unavailable("lost"), after=True), create),
    "the answer to start is lost": (failing("start", Unavailable("lost"), after=True), create),
    "the engine refuses the request": (failing("start", InvalidInput("Cmd", "no such file")), create),
    "room appears": (waiting, lambda world: world.pending.retry()),
    "removed": (running, lambda world: world.placer.remove(WEB)),
    "removed while it waits for its image": (waiting_for_image, lambda world: world.placer.remove(WEB)),
    "its time is over": (grown_old, lambda world: world.lifetimes.end_overdue()),
    "removed behind our back": (removed_by_hand, check_all),
}

ACCEPTING = [name for name, (_, act) in SCENARIOS.items() if act is create and "refuses" not in name]
every = pytest.mark.parametrize("scenario", SCENARIOS)


def end_pulls_of(world: World) -> None:
    end_pulls(world, world)


def interrupted(scenario: str, at: int) -> tuple[World, Interruption]:
    """The world after the scenario was cut off there."""
    arranged, act = SCENARIOS[scenario]
    world = arranged()
    interruption = Interruption(at)
    with suppress(Crash, SwarmkeeperError):
        act(process(world, interruption))
    return world, interruption


def steps(scenario: str) -> Iterator[int]:
    """Every place where the scenario can be cut off."""
    _, whole = interrupted(scenario, 0)
    return iter(range(1, 2 * whole.calls + 1))


@every
def test_whatever_is_cut_off_heals(scenario: str) -> None:
    for at in steps(scenario):
        world, _ = interrupted(scenario, at)
        heal(world)
        assert_sound(world)


@pytest.mark.parametrize("scenario", ACCEPTING)
def test_a_request_that_was_accepted_is_not_lost(scenario: str) -> None:
    for at in steps(scenario):
        world, interruption = interrupted(scenario, at)
        accepted = world.store.container(WEB) is not None
        heal(world)
        assert (world.store.container(WEB) is not None) == accepted, interruption.met
        if accepted:
            assert world.container().state is ContainerState.RUNNING, interruption.met


@every
def test_the_caller_may_ask_again_at_once(scenario: str) -> None:
    for at in steps(scenario):
        world, _ = interrupted(scenario, at)
        with suppress(SwarmkeeperError):
            create(world)
        heal(world)
        assert_sound(world)


@every
def test_the_caller_may_give_up_and_remove_it_at_once(scenario: str) -> None:
    for at in steps(scenario):
        world, interruption = interrupted(scenario, at)
        with suppress(SwarmkeeperError):
            world.placer.remove(WEB)
        gone = world.store.container(WEB)
        assert gone is None or gone.state is ContainerState.REMOVING, interruption.met
        heal(world)
        assert_sound(world)
        assert world.store.container(WEB) is None, interruption.met


@every
def test_the_healing_may_be_cut_off_too(scenario: str) -> None:
    random = Random(scenario)
    places = list(steps(scenario))
    for _ in range(PAIRS):
        world, _ = interrupted(scenario, random.choice(places))
        for _ in range(2):
            with suppress(Crash):
                tick(world, process(world, Interruption(random.randrange(1, 40))))
        heal(world)
        assert_sound(world)


@pytest.mark.parametrize("scenario", ACCEPTING)
def test_whoever_asks_for_it_anew_while_it_is_made_never_gets_a_second_copy(scenario: str) -> None:
    """Removed and asked for anew, with other contents, at every moment of the first request's way."""

    def anew(world: World) -> None:
        with suppress(SwarmkeeperError):
            world.placer.remove(WEB)
        with suppress(SwarmkeeperError):
            create(world, replace(a_request(WEB), id="another"))

    interleaved(scenario, anew)


@pytest.mark.parametrize("scenario", ACCEPTING)
def test_the_same_request_twice_at_once_never_has_two_copies(scenario: str) -> None:
    def again(world: World) -> None:
        with suppress(SwarmkeeperError):
            create(world)

    interleaved(scenario, again)


def interleaved(scenario: str, meanwhile: Meanwhile) -> None:
    """Do something else at every place of the scenario; at no moment do two copies run."""
    arranged, act = SCENARIOS[scenario]
    for at in steps(scenario):
        world = arranged()
        watch_copies(world)
        with suppress(SwarmkeeperError):
            act(process(world, Interruption(at, meanwhile=partial(meanwhile, world))))
        heal(world)
        assert_sound(world)


def watch_copies(world: World) -> None:
    """Fail as soon as two copies of a name run."""
    start = world.engines.start

    def checked(node: Node, engine_id: str) -> None:
        start(node, engine_id)
        assert_at_most_one_copy_runs(world)

    world.engines.start = checked  # type: ignore[method-assign]  # looks on


@every
def test_who_was_held_up_until_others_had_healed_it_does_no_harm(scenario: str) -> None:
    """Functions end long before a lease does; a clock that runs wild is no reason to lose a container for good."""
    arranged, act = SCENARIOS[scenario]
    for at in steps(scenario):
        world = arranged()
        late = Interruption(at, meanwhile=partial(heal, world))
        with suppress(SwarmkeeperError):
            act(process(world, late))
        heal(world)
        assert_sound(world)
