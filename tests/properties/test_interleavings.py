"""I1, I2 and I3 under thousands of interleavings of processes that place, remove, retry, drain, move and die."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    NO_RESOURCES,
    Container,
    ContainerName,
    ContainerState,
    HostPort,
    NodeId,
    Request,
    Rules,
)
from swarmkeeper.errors import Conflict, Contention, SwarmkeeperError, Unavailable, Unreachable
from swarmkeeper.ports import RESERVATION_LEASE_S
from swarmkeeper.services import pending
from tests.fakes import a_request
from tests.fakes.crashes import Crash
from tests.fakes.interleaving import Process, interleave
from tests.unit.services.healing import assert_at_most_one_copy_runs, assert_sound, heal
from tests.unit.services.world import World

SEEDS_A_PART, PARTS = 250, 12
NODES = ("i-0a", "i-0b", "i-0c")
NAMES = ("web-1", "web-2", "web-3")
FREE, ON_A_PORT = Rules(), Rules(ports=(HostPort(80),))
APART, TOGETHER = Rules(affinities=("container!=web-*",)), Rules(affinities=("container==~web-1",))
THEMES = ((FREE,), (ON_A_PORT,), (FREE, ON_A_PORT, APART, TOGETHER))
WEIGHTS = ((8, 4, 3, 3, 2, 2, 1), (6, 4, 0, 1, 0, 0, 0), (2, 1, 0, 0, 1, 6, 1))
"""How often each act occurs: all sorts, a fight for names, moves."""

Act = Callable[[World], object]


@pytest.fixture(autouse=True)
def _one_engine_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of one process would run beside each other unseen."""
    monkeypatch.setattr(pending, "STARTS_AT_ONCE", 1)


class Story:
    """A small fleet and what some processes do to it at once, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.world = World().with_manager()
        self.names = NAMES[: self.chance.choice([1, 2, 3])]
        self.rules = self.chance.choice(THEMES)
        self.weights = self.chance.choice(WEIGHTS)
        for node_id in NODES[: self.chance.choice([1, 2, 3])]:
            self.world.with_worker(node_id, slots=self.chance.choice([1, 1, 2, 3]))
        for name in self.names:
            if self.chance.random() < 0.4:
                self.world.placer.create(self._request(name))
        self._arrange_failures()
        self.accepted: dict[ContainerName, Request] = {}
        self.removed: set[ContainerName] = set()
        self._on_draining: dict[tuple[NodeId, int], int] = {}
        self.processes = [self._process() for _ in range(self.chance.choice([2, 3, 3, 4]))]

    def _arrange_failures(self) -> None:
        """The world answers late or not at all at times; each of these is one call's bad luck."""
        lost = Unavailable("lost")
        for method in ("create", "start", "remove"):
            if self.chance.random() < 0.15:
                self.world.engines.fail(method, lost, after=self.chance.random() < 0.5)
        if self.chance.random() < 0.1:
            self.world.engines.fail("create", Unreachable("no route"))
        if self.chance.random() < 0.2:
            self.world.store.fail("reserve", Contention("two writers met"), times=self.chance.choice([1, 3]))

    def _process(self) -> Process:
        act = self._act()
        crash_at = self.chance.randrange(1, 24) if self.chance.random() < 0.4 else 0
        return Process(lambda process: act(self._as_seen_by(process)), crash_at)

    def _as_seen_by(self, process: Process) -> World:
        """The world over ports that stop this process at each call; views and services are its own."""
        world = self.world
        return World(
            clock=world.clock,
            store=process.over(world.store),
            engines=process.over(world.engines),
            commands=process.over(world.commands),
            events=world.events,
            pulls=process.over(world.pulls),
            watches=world.watches,
            fleet=world.fleet,
            swarm=world.swarm,
        )

    def _act(self) -> Act:
        name = ContainerName(self.chance.choice(self.names))
        node_id = self.chance.choice([each.id for each in self.world.store.nodes() if each.id in NODES])
        request = self._request(name)
        acts: list[Act] = [
            lambda world: self._create(world, request),
            lambda world: self._remove(world, name),
            lambda world: world.pending.retry(),
            lambda world: world.pending.settle_named(name),
            lambda world: _drain(world, node_id),
            lambda world: _move(world, name),
            lambda world: world.inventory.check(node_id),
        ]
        return self.chance.choices(acts, self.weights)[0]

    def _create(self, world: World, request: Request) -> None:
        outcome = world.placer.create(request)
        self.accepted[outcome.name] = request

    def _remove(self, world: World, name: ContainerName) -> None:
        self.removed.add(name)
        world.placer.remove(name)

    def _request(self, name: str) -> Request:
        return replace(a_request(name, movable=True), rules=self.chance.choice(self.rules))

    def check(self) -> None:
        """What holds at every moment."""
        stored = self.world.store.stored
        for node in stored.nodes.values():
            assert node.reserved.fits_in(node.capacity), node
            assert node.slots is None or node.containers <= node.slots, node
            assert node.containers == len(stored.held.get(node.id, {}))
            running = [one for one in self.world.engines.on(node.id).containers.values() if one.running]
            assert node.slots is None or len(running) <= node.slots, running
            amounts = sum((one.request.reservation for one in running), NO_RESOURCES)
            assert amounts.fits_in(node.capacity), running
            if node.state is NodeState.DRAINING:
                before = self._on_draining.get((node.id, node.epoch), node.containers)
                assert node.containers <= before, f"{node.id} took a reservation while it drains"
                self._on_draining[node.id, node.epoch] = node.containers
        assert_at_most_one_copy_runs(self.world)

    def check_end(self) -> None:
        """What holds when time has healed what the crashes left."""
        self._clear_what_is_reported()
        assert_sound(self.world)
        containers = {one.name: one for one in self.world.store.containers()}
        for name in self.accepted.keys() - self.removed:
            assert name in containers, f"{name} was accepted and is lost"
            self._assert_accounted_for(containers[name])
        self._assert_rules_hold()

    def _clear_what_is_reported(self) -> None:
        """A stopped copy of nobody, whose removal after a move was not answered, is reported for people to remove."""
        for node in self.world.store.nodes():
            for name in self.world.inventory.check(node.id).strange:
                assert self.world.engines.running(name) == []
                self.world.engines.remove(node, name)

    def _assert_accounted_for(self, container: Container) -> None:
        runs = container.state is ContainerState.RUNNING
        assert runs or (container.state is ContainerState.PENDING and container.reason), container

    def _assert_rules_hold(self) -> None:
        """No two containers that want the same port share a node."""
        for node in self.world.store.nodes():
            held = self.world.store.containers_on(node.id)
            assert sum(bool(one.request.rules.ports) for one in held) <= 1, held


def _drain(world: World, node_id: str) -> None:
    node = world.node(node_id)
    state = NodeState.READY if node.state is NodeState.DRAINING else NodeState.DRAINING
    world.store.save_node(replace(node, state=state))


def _move(world: World, name: ContainerName) -> None:
    container = world.store.container(name)
    if container is not None and container.node is not None:
        world.mover.move(container, world.node(container.node))


def settle_moves(world: World) -> None:
    """What the registrar does with moves that were cut off, at each of its rounds, once their leases are over."""
    world.clock.advance(RESERVATION_LEASE_S)
    for _ in range(4):
        for container in world.store.containers():
            if container.moving_to is not None and container.node is not None:
                with suppress(SwarmkeeperError):
                    world.mover.undo(container, world.node(container.node))


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_meets_or_dies_nothing_is_overcommitted_doubled_or_lost(part: int) -> None:
    for seed in range(part * SEEDS_A_PART, (part + 1) * SEEDS_A_PART):
        story = Story(seed)
        order = interleave(story.processes, story.chance, story.check)
        said = [(process.trace, process.error) for process in story.processes]
        for process in story.processes:
            assert isinstance(process.error, SwarmkeeperError | Crash | None), (seed, process.error)
            assert not isinstance(process.error, Conflict) or process.error.args, seed
        try:
            settle_moves(story.world)
            heal(story.world)
            story.check_end()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, order {order}: {said}") from error


def test_a_seed_gives_one_order() -> None:
    traces = []
    for _ in range(2):
        story = Story(7)
        order = interleave(story.processes, story.chance, story.check)
        traces.append((order, [process.trace for process in story.processes]))
    assert traces[0] == traces[1]
