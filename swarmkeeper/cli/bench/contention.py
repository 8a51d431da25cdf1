"""How many containers a second many placement functions create at once, and what their races cost."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.adapters.aws.table_definition import create_table
from swarmkeeper.adapters.memory.contended import ContendedStore
from swarmkeeper.cli import output
from swarmkeeper.cli.bench.contention_fleet import CAPACITY, SLOTS, Environment, TimedEngines, a_node, a_request
from swarmkeeper.cli.bench.figures import machine, percentile, tell
from swarmkeeper.domain.model import ContainerState
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.ports import StateStore
from swarmkeeper.services.view import Freshness

INDEX_LAG_S = 0.5
SWITCH_S = 0.001
"""How long one thread keeps the interpreter; the default of 5 ms would be most of a short call's time."""


class StoreKind(StrEnum):
    MEMORY = "memory"
    MOTO = "moto"


class StrategyName(StrEnum):
    SPREAD = "spread"
    BINPACK = "binpack"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run gave; `conflicts` are two writers that met, `lost_races` conditions that failed."""

    strategy: str
    store: str
    nodes: int
    workers: int
    environments: int
    engine_latency_ms: float
    store_latency_ms: float | None
    max_age_s: float
    seconds: float
    created: int
    creates_per_s: float
    ideal_per_s: float
    share_of_ideal: float
    overcommitted: int
    not_running: int
    lost_races: int
    conflicts: int
    p50_ms: float
    p99_ms: float
    cpu_s: float


@dataclass(slots=True)
class _Tally:
    """What one worker did; times are of the monotonic clock."""

    ended: list[tuple[float, float]]
    not_running: int = 0


def contention(
    nodes: Annotated[int, typer.Option(min=1, help="Nodes of the fleet.")] = 1_000,
    workers: Annotated[int, typer.Option(min=1, help="Requests under way at any time.")] = 128,
    environments: Annotated[
        int, typer.Option(min=0, help="Functions with a view of their own, among which workers are dealt; 0: one each.")
    ] = 16,
    engine_latency_ms: Annotated[float, typer.Option(min=0, help="What create and start take.")] = 300.0,
    store_latency_ms: Annotated[
        float, typer.Option(min=0, help="What a read or a write of the store takes; a transaction takes twice that.")
    ] = 4.0,
    max_age_s: Annotated[float, typer.Option(min=0, help="How old a view may be before it is refreshed.")] = 2.0,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long it is measured, after one round unmeasured.")
    ] = 15.0,
    strategy: Annotated[StrategyName, typer.Option(help="The strategy.")] = StrategyName.SPREAD,
    store: Annotated[StoreKind, typer.Option(help="moto answers one request at a time: use few nodes and workers.")] = (
        StoreKind.MEMORY
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Also write the JSON to this file.")] = None,
) -> None:
    """Create containers from many workers at once through the real placer, against engines that take their time.

    Only what runs in the end is counted; exit status 1 when a node was overcommitted. Ideal is workers / engine
    latency. Each environment is a placement function of its own: its view, its random numbers, its memory of lost
    races; all share this process's interpreter, so `cpu_s` is what they take together.
    """
    options = PlacementOptions(compile_re2, strategy=strategy.value)
    freshness = Freshness(max_age_s=max_age_s)
    with _store(store, store_latency_ms / 1000) as table, _quick_switches():
        run = _Run(table, nodes, workers, environments or workers, engine_latency_ms / 1000, options, freshness)
        measured = run.measure(store.value, store_latency_ms if store is StoreKind.MEMORY else None, seconds)
    tell({**asdict(measured), **machine()}, as_json=as_json, output=out)
    if measured.overcommitted:
        raise typer.Exit(output.REFUSED)


class _Run:
    """One fleet under load."""

    def __init__(
        self,
        store: StateStore,
        nodes: int,
        workers: int,
        environments: int,
        engine_latency_s: float,
        options: PlacementOptions,
        freshness: Freshness,
    ) -> None:
        self._store = store
        self._nodes = nodes
        self._latency_s = engine_latency_s
        self._options = options
        self._max_age_s = freshness.max_age_s
        self._engines = TimedEngines(engine_latency_s)
        for number in range(nodes):
            store.add_node(a_node(number))
        time.sleep(INDEX_LAG_S)  # until then nobody can see them all
        self._environments = [
            Environment(store, self._engines, options, freshness, seed) for seed in range(environments)
        ]
        self._tallies = [_Tally([]) for _ in range(workers)]
        self._until = 0.0

    def measure(self, store: str, store_latency_ms: float | None, seconds: float) -> Measured:
        """Let all workers create until the time is up; what ends within the measured time counts."""
        workers = len(self._tallies)
        begun = time.monotonic() + self._max_age_s + 4 * self._latency_s
        self._until = begun + seconds
        threads = [threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(workers)]
        cpu_before_s = time.process_time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cpu_s = time.process_time() - cpu_before_s
        took_ms = sorted(
            1000 * took for tally in self._tallies for at, took in tally.ended if begun <= at < self._until
        )
        ideal = workers / self._latency_s if self._latency_s else 0.0
        rate = len(took_ms) / seconds
        return Measured(
            strategy=self._options.strategy,
            store=store,
            nodes=self._nodes,
            workers=workers,
            environments=len(self._environments),
            engine_latency_ms=1000 * self._latency_s,
            store_latency_ms=store_latency_ms,
            max_age_s=self._max_age_s,
            seconds=seconds,
            created=sum(len(tally.ended) for tally in self._tallies),
            creates_per_s=round(rate, 1),
            ideal_per_s=round(ideal, 1),
            share_of_ideal=round(rate / ideal, 4) if ideal else 0.0,
            overcommitted=len(self._engines.overcommitted) + self._disagreements(),
            not_running=sum(tally.not_running for tally in self._tallies),
            lost_races=sum(each.reserver.races.lost for each in self._environments),
            conflicts=sum(each.reserver.races.conflicts for each in self._environments),
            p50_ms=round(percentile(took_ms, 50), 1),
            p99_ms=round(percentile(took_ms, 99), 1),
            cpu_s=round(cpu_s, 2),
        )

    def _work(self, number: int) -> None:
        mine = number % len(self._environments)
        environment = self._environments[mine]
        # Functions don't begin at one moment; if these did, all would refresh at one moment for ever after.
        time.sleep(self._max_age_s * mine / len(self._environments))
        tally, chance = self._tallies[number], Random(number)  # noqa: S311  # sizes, not secrets
        created = 0
        while time.monotonic() < self._until:
            created += 1
            request = a_request(f"w{number}-{created}", chance)
            begun = time.monotonic()
            container = environment.placer.create(request)
            ended = time.monotonic()
            if container.state is ContainerState.RUNNING:
                tally.ended.append((ended, ended - begun))
            else:
                tally.not_running += 1

    def _disagreements(self) -> int:
        """Nodes whose record is beyond their capacity, or isn't what their engine holds."""
        held = self._engines.held()
        wrong = 0
        for node in self._store.nodes():
            agrees = (node.reserved, node.containers) == held.get(node.id, (node.reserved - node.reserved, 0))
            wrong += not (agrees and node.reserved.fits_in(CAPACITY) and node.containers <= SLOTS)
        return wrong


@contextmanager
def _store(kind: StoreKind, latency_s: float) -> Iterator[StateStore]:
    if kind is StoreKind.MEMORY:
        yield ContendedStore(latency_s=latency_s, index_lag_s=INDEX_LAG_S)
        return
    try:
        from local.aws.server import AwsServer  # only where the local cloud is installed
    except ImportError as error:
        output.fail(f"the local cloud's AWS is not installed: {error}")
    with AwsServer() as server:
        client = server.client("dynamodb")
        create_table(client, "bench-state")
        yield DynamoStore(client, "bench-state")


@contextmanager
def _quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
