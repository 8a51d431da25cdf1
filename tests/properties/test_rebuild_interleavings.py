"""I1, I2 and I7 while a table is made anew beside everything else, by processes that meet and die at any call."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from random import Random

import pytest

from swarmkeeper.adapters.memory.tables import ChangeIndex, Tables
from swarmkeeper.domain.model import NO_RESOURCES, ContainerName, ContainerState, HostPort, NodeId, PoolName, Rules
from swarmkeeper.errors import SwarmkeeperError
from swarmkeeper.services import pending, rebuild
from swarmkeeper.services.recorder import Finding
from swarmkeeper.services.recording import is_closed
from tests.fakes import a_node, a_request
from tests.fakes.crashes import Crash
from tests.fakes.interleaving import Process, interleave
from tests.unit.services.healing import assert_at_most_one_copy_runs, assert_totals_are_sums
from tests.unit.services.world import MANAGER, World

SEEDS_A_PART, PARTS = 100, 6
NODES = (NodeId("i-0a"), NodeId("i-0b"))
WORKERS = PoolName("workers")
SLOTS = 3
CAPACITY = a_node().capacity
RULES = (Rules(), Rules(), Rules(ports=(HostPort(80),)))

Act = Callable[[World], object]


@pytest.fixture(autouse=True)
def _one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of one process would run beside each other unseen."""
    monkeypatch.setattr(pending, "STARTS_AT_ONCE", 1)
    monkeypatch.setattr(rebuild, "NODES_AT_ONCE", 1)


class Story:
    """A small fleet whose table is lost while it lives on, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.world = World().with_manager()
        workers = self.world.plans[WORKERS]
        self.world.plans[WORKERS] = replace(workers, pool=replace(workers.pool, slots=SLOTS))
        for node_id in NODES:
            self.world.with_worker(node_id, slots=SLOTS)
        self.living = self._live()
        self.removed: set[ContainerName] = set()
        self.world.store.stored, self.world.store.changes = Tables(), ChangeIndex()
        if self.chance.random() < 0.5:
            self.world.fleet.begin_termination(self.chance.choice(NODES))
        acts = [_rebuild, *(self._act() for _ in range(self.chance.choice([1, 2, 3])))]
        self.processes = [self._process(act) for act in acts]

    def _live(self) -> dict[ContainerName, NodeId]:
        """Containers that run, or have ended, and where."""
        for number in range(self.chance.randrange(1, 6)):
            self.world.placer.create(replace(a_request(f"web-{number}"), rules=self.chance.choice(RULES)))
        held = [each for each in self.world.store.containers() if each.state is ContainerState.RUNNING]
        for each in held:
            if self.chance.random() < 0.2 and each.node is not None:
                self.world.engines.change(each.node, each.name, running=False)
        return {each.name: each.node for each in held if each.node is not None}

    def _act(self) -> Act:
        rival = replace(a_request(f"rival-{self.chance.randrange(2)}"), rules=self.chance.choice(RULES))
        name = self.chance.choice(sorted(self.living))
        node_id = self.chance.choice(NODES)
        acts: list[Act] = [
            _rebuild,
            lambda world: world.placer.create(rival),
            lambda world: self._remove(world, name),
            lambda world: world.inventory.check(node_id),
            lambda world: world.pending.retry(),
            lambda world: world.registrar.advance(node_id),
            lambda world: world.reconciler.nudge(),
        ]
        return self.chance.choices(acts, (4, 4, 2, 2, 1, 3, 1))[0]

    def _remove(self, world: World, name: ContainerName) -> None:
        self.removed.add(name)
        world.placer.remove(name)

    def _process(self, act: Act) -> Process:
        crash_at = self.chance.randrange(1, 60) if act is _rebuild and self.chance.random() < 0.5 else 0
        return Process(lambda process: act(self._as_seen_by(process)), crash_at)

    def _as_seen_by(self, process: Process) -> World:
        seen = copy(self.world)
        seen.store = process.over(self.world.store)
        seen.engines = process.over(self.world.engines)
        seen.commands = process.over(self.world.commands)
        return seen

    def check(self) -> None:
        """What holds at every moment, by the engines themselves too."""
        stored = self.world.store.stored
        for node in stored.nodes.values():
            assert node.containers == len(stored.held.get(node.id, {}))
            assert is_closed(node) or node.reserved.fits_in(node.capacity), node
        for node_id in NODES:
            held = list(self.world.engines.on(node_id).containers.values())
            assert len(held) <= SLOTS, f"{node_id} was overfilled: {held}"
            assert sum((one.request.reservation for one in held), NO_RESOURCES).fits_in(CAPACITY)
            assert sum(bool(one.request.rules.ports) for one in held) <= 1, f"a port of {node_id} is taken twice"
        assert_at_most_one_copy_runs(self.world)

    def check_end(self) -> None:
        """The table says what lives, and nothing of what lived was touched."""
        _rebuild(self.world)
        again = self.world.rebuild.run(until=self.world.clock.now() + 30)
        assert {node.finding for node in again.nodes} == {Finding.THERE}
        assert not any(is_closed(node) for node in self.world.store.nodes())
        assert {node.id for node in self.world.store.nodes()} == {MANAGER, *NODES}
        assert_totals_are_sums(self.world)
        for name, node_id in self.living.items():
            if name in self.removed:
                continue
            assert name in self.world.engines.on(node_id).containers, f"{name} is lost"
            container = self.world.container(name)
            assert (container.state, container.node) == (ContainerState.RUNNING, node_id)


def _rebuild(world: World) -> object:
    return world.rebuild.run(until=world.clock.now() + 30)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_rebuild_beside_everything_else_overfills_doubles_and_loses_nothing(part: int) -> None:
    for seed in range(part * SEEDS_A_PART, (part + 1) * SEEDS_A_PART):
        story = Story(seed)
        try:
            order = interleave(story.processes, story.chance, story.check)
            for process in story.processes:
                assert isinstance(process.error, SwarmkeeperError | Crash | None), process.error
            story.check_end()
        except AssertionError as error:
            said = [(process.trace, process.error) for process in story.processes]
            raise AssertionError(f"seed {seed}: {said}") from error
        assert order
