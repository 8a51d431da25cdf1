"""A fleet whose engines take their time, and placement functions that share nothing but its table."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from random import Random
from threading import Lock
from typing import NoReturn

from swarmkeeper.adapters.memory.upkeep import MemoryPulls, MemoryWatches
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    NANO_CPUS_PER_CPU,
    NO_RESOURCES,
    ContainerName,
    Image,
    Node,
    NodeId,
    Pool,
    PoolName,
    Request,
    Resources,
    Role,
)
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.errors import InvariantBroken
from swarmkeeper.ports import (
    Command,
    CommandResult,
    EngineContainer,
    EngineFacts,
    EngineRecord,
    Layer,
    LogTail,
    StateStore,
)
from swarmkeeper.services.placer import Placer
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.remover import Remover
from swarmkeeper.services.reservations import Reserver
from swarmkeeper.services.starter import Starter
from swarmkeeper.services.view import FleetView, Freshness

MIB = 2**20
CAPACITY = Resources(8 * NANO_CPUS_PER_CPU, 16 * 1024 * MIB)
SLOTS = 30
SIZES = tuple(
    Resources(nano_cpus * 10**6, mebibytes * MIB) for nano_cpus in (100, 250, 500) for mebibytes in (256, 512)
)
POOL = Pool(PoolName("workers"), Role.WORKER, "bench-workers", 0, 10_000, CAPACITY, SLOTS)


class SystemTime:
    """The clock of the functions."""

    def now(self) -> float:
        return time.time()


class TimedEngines:
    """Engines in this process: each create takes `latency_s`, and counts what its node would hold by now."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._lock = Lock()
        self._held: defaultdict[NodeId, Resources] = defaultdict(lambda: NO_RESOURCES)
        self._containers: defaultdict[NodeId, set[ContainerName]] = defaultdict(set)
        self.overcommitted: set[NodeId] = set()
        self.twice: set[ContainerName] = set()

    def create(self, node: Node, request: Request, *, image: str = "") -> str:
        time.sleep(self._latency_s)
        with self._lock:
            self._held[node.id] += request.reservation
            held = self._containers[node.id]
            if request.name in held:
                self.twice.add(request.name)
            held.add(request.name)
            if not self._held[node.id].fits_in(CAPACITY) or len(held) > SLOTS:
                self.overcommitted.add(node.id)
        return f"engine-{request.name}"

    def start(self, node: Node, engine_id: str) -> None:
        """Its time is counted in `create`."""

    def held(self) -> Mapping[NodeId, tuple[Resources, int]]:
        """What each node holds, as the engines see it."""
        return {node_id: (self._held[node_id], len(names)) for node_id, names in self._containers.items()}

    def facts(self, node: Node) -> EngineFacts:
        return _not_asked()

    def stop(self, node: Node, name: ContainerName, *, network: str) -> None:
        _not_asked()

    def resume(self, node: Node, name: ContainerName, *, network: str) -> None:
        _not_asked()

    def remove(self, node: Node, name_or_id: str) -> None:
        _not_asked()

    def containers(self, node: Node) -> tuple[EngineContainer, ...]:
        return _not_asked()

    def layer(self, node: Node, engine_id: str) -> Layer | None:
        return _not_asked()

    def recall(self, node: Node, engine_id: str) -> EngineRecord | None:
        return _not_asked()

    def ended_with_engine(self, node: Node, engine_id: str, *, within_s: float | None = None) -> bool:
        return _not_asked()

    def logs(self, node: Node, name: ContainerName, *, tail: int, most_bytes: int) -> LogTail | None:
        return _not_asked()

    def images(self, node: Node) -> tuple[Image, ...]:
        return _not_asked()

    def sent_bytes(self, node: Node, engine_id: str) -> int | None:
        return _not_asked()


class NoCommands:
    """Every image is there, so no node is commanded."""

    def send(self, node_id: NodeId, command: Command, parameters: Mapping[str, str]) -> str:
        return _not_asked()

    def result(self, command_id: str, node_id: NodeId) -> CommandResult:
        return _not_asked()


def _not_asked() -> NoReturn:
    raise InvariantBroken("creating containers asks nothing of the kind")


class Environment:
    """One execution environment of the placement function: a view of its own, and the real services over it."""

    def __init__(
        self, store: StateStore, engines: TimedEngines, options: PlacementOptions, freshness: Freshness, seed: int
    ) -> None:
        clock = SystemTime()
        view = FleetView(store=store, clock=clock, options=options, freshness=freshness)
        self.reserver = Reserver(store=store, view=view, clock=clock, random=Random(seed), pause=time.sleep)  # noqa: S311
        puller = Puller(pulls=MemoryPulls(), commands=NoCommands(), clock=clock)
        starter = Starter(store=store, engines=engines, puller=puller, watches=MemoryWatches(), clock=clock)
        remover = Remover(store=store, engines=engines, clock=clock)
        self.placer = Placer(
            store=store,
            reserver=self.reserver,
            starter=starter,
            remover=remover,
            clock=clock,
            pools=[POOL],
            options=options,
        )


def a_node(number: int) -> Node:
    """A ready, empty worker."""
    now = time.time()
    return Node(
        id=NodeId(f"i-{number:017x}"),
        pool=POOL.name,
        role=Role.WORKER,
        state=NodeState.READY,
        created_at=now,
        state_since=now,
        capacity=CAPACITY,
        slots=SLOTS,
    )


def a_request(name: str, chance: Random) -> Request:
    """One of some sizes, without rules."""
    return Request(ContainerName(name), "registry.example/web:1", chance.choice(SIZES), tenant="bench")
