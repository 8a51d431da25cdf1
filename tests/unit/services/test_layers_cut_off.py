"""A save may be cut off at any call: what the container wrote is there in the end, or its loss is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Command, CommandStatus, Event
from tests.fakes.commands import Sent
from tests.fakes.crashes import Crash, Interruption
from tests.unit.services.healing import assert_at_most_one_copy_runs, assert_totals_are_sums, on_engines, process
from tests.unit.services.test_layers import NEW, OLD, THIRD, drain, keeper, lose
from tests.unit.services.world import World

TICK_S = 20.0
ROUNDS = 60
NAME = "web-1"
PAIRS = 150


class Story:
    """A container writes whenever it runs, its node is drained, and a process dies at its `at`-th step.

    A second one may die at its `second`-th. `then` happens when the first has died.
    """

    def __init__(self, at: int, second: int = 0, then: Callable[[Story], None] | None = None) -> None:
        self.world = World().with_manager()
        self.world.with_worker(OLD)
        self.world.placer.create(keeper())
        self.world.with_worker(NEW)
        self.world.with_worker(THIRD)
        self.first, self.second = Interruption(at), Interruption(second)
        self.acting = process(self.world, self.first)
        self.then = then
        self.wrote: list[str] = []
        self.lost: list[dict[str, str]] = []

    def tell(self) -> Story:
        """Go on until nothing changes any more."""
        self.write()
        self.act(lambda: drain(self.acting, OLD))
        quiet = 0
        for _ in range(ROUNDS):
            self.tick()
            quiet = quiet + 1 if self.is_at_rest(self.world.container()) else 0
            if quiet == 3:
                return self
        raise AssertionError(f"still not quiet: {self.world.container()}, {self.first.met}")

    def is_at_rest(self, container: Container) -> bool:
        """It runs where it may stay."""
        stays = container.node != OLD or self.world.node(OLD).state is NodeState.READY
        return container.state is ContainerState.RUNNING and container.moving_to is None and stays

    def tick(self) -> None:
        self.write()
        self.world.clock.advance(TICK_S)
        for sent in list(self.world.commands.sent):
            if self.world.commands.result(sent.id, sent.node_id).status is CommandStatus.RUNNING:
                self.act(partial(self.end, sent))
        for node in self.world.store.nodes():
            self.act(lambda: self.acting.registrar.advance(node.id))  # noqa: B023  # it is called at once
            self.act(lambda: self.acting.inventory.check(node.id))  # noqa: B023
        self.act(lambda: self.acting.pending.retry())
        self.act(lambda: self.acting.pending.settle_named(self.world.container().name))
        self.lost += self.world.events.of(Event.CONTAINER_LOST)
        self.world.events.published.clear()
        assert_at_most_one_copy_runs(self.world)

    def act(self, call: Callable[[], object]) -> None:
        """What can't be done now comes again; after a crash another process goes on."""
        try:
            with suppress(Unavailable, Conflict):
                call()
        except Crash:
            is_first = self.second.calls == 0
            self.acting = process(self.world, self.second if is_first else Interruption())
            if is_first and self.then is not None:
                with suppress(Unavailable, Conflict):
                    self.then(self)

    def write(self) -> None:
        for node_id in self.world.engines.running(NAME):
            self.wrote.append(f"line {len(self.wrote)}")
            self.world.engines.write(node_id, NAME, self.wrote[-1])

    def end(self, sent: Sent) -> None:
        """A node does its work, and whoever acts hears of it."""
        if sent.command is Command.SAVE:
            self.world.run_save(sent)
            self.acting.registrar.save_ended(sent.node_id, sent.id)
        if sent.command is Command.PULL:
            self.world.engines.pull(sent.node_id, sent.parameters["image"])
            self.world.commands.finish(sent.id)
            image = self.acting.puller.ended(sent.node_id, sent.id, succeeded=True)
            self.acting.pending.image_pulled(sent.node_id, image, failure="")
            self.acting.registrar.pull_ended(sent.node_id, sent.id)

    def assert_sound(self) -> None:
        container, where = self.world.container(), self.first.met
        assert self.world.engines.running(NAME) == [container.node], where
        held = self.world.engines.on(str(container.node)).containers[container.name]
        assert held.connected, where
        assert {node for node, _ in on_engines(self.world)} == {container.node}, f"{where}: copies that nobody knows"
        assert_totals_are_sums(self.world)
        # What is lost is one piece, and was told.
        kept = list(held.written)
        missing = len(self.wrote) - len(kept)
        assert missing == 0 or self.lost, where
        pieces = (self.wrote[:cut] + self.wrote[cut + missing :] for cut in range(len(kept) + 1))
        assert kept in pieces, where


def take_back(story: Story) -> None:
    story.world.departures.take_back(OLD)


def lose_source(story: Story) -> None:
    lose(story.world, OLD)


def lose_target(story: Story) -> None:
    lose(story.world, story.world.container().moving_to or NEW)


def steps() -> range:
    """Every place where a drain that goes well can be cut off."""
    return range(1, 2 * Story(0).tell().first.calls + 1)


def test_a_drain_that_is_not_cut_off_carries_all_over() -> None:
    story = Story(0).tell()
    story.assert_sound()
    assert (story.world.container().node == OLD, story.lost) == (False, [])
    assert len(story.wrote) > 2


@pytest.mark.parametrize("then", [None, take_back, lose_target, lose_source])
def test_whatever_is_cut_off_loses_nothing_in_silence(then: Callable[[Story], None] | None) -> None:
    for at in steps():
        story = Story(at, then=then).tell()
        story.assert_sound()
        assert story.lost == [] or then is lose_source, story.first.met


def test_who_goes_on_may_be_cut_off_too() -> None:
    random = Random(81)
    for _ in range(PAIRS):
        story = Story(random.choice(steps()), random.randrange(1, 60)).tell()
        story.assert_sound()
        assert story.lost == [], (story.first.met, story.second.met)
