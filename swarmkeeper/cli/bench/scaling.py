"""swarmkeeper bench scaling: what one decision about the sizes of a fleet's pools takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Annotated

import typer

from swarmkeeper.cli.bench.crowd import SIZES, drawn_sizes
from swarmkeeper.cli.bench.figures import Figures, machine, resident_mib, tell
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    NANO_CPUS_PER_CPU,
    Container,
    ContainerName,
    ContainerState,
    Node,
    NodeId,
    Pool,
    PoolName,
    Request,
    Resources,
    Role,
    Rules,
)
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom, ArrivalPeak
from swarmkeeper.domain.scaling.decision import ScalingDecision, decide_fleet
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.policy import Consolidation, Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.edge.patterns import compile_re2

NOW = 1_000_000.0
GIB = 2**30
MANY = 500
SSD, HDD = "ssd", "hdd"


class Sizes(StrEnum):
    """Where the sizes of requests come from: `few` are 14 usual ones, `many` are 500 that nobody would choose."""

    FEW = "few"
    MANY = "many"


@dataclass(frozen=True, slots=True)
class Shape:
    """A pool of the benchmark; `share` of all nodes are its."""

    name: str
    cpus: int
    memory_gib: int
    disk: str
    price: float
    share: float


POOLS = (
    Shape("large", 64, 256, HDD, 2.4, 0.3),
    Shape("small", 32, 128, HDD, 1.3, 0.5),
    Shape("fast", 32, 128, SSD, 1.9, 0.2),
)
"""Three pools: two sizes, and one with a label that some requests ask for."""


def scaling(
    nodes: Annotated[int, typer.Option("--nodes", min=3, help="Nodes of the fleet, in three pools.")] = 1000,
    containers: Annotated[int, typer.Option("--containers", min=0, help="Containers of all nodes together.")] = 30_000,
    pending: Annotated[int, typer.Option("--pending", min=0, help="Requests that wait.")] = 1000,
    movable: Annotated[float, typer.Option("--movable", min=0, max=1, help="Share of containers that move.")] = 0.5,
    sizes: Annotated[Sizes, typer.Option("--sizes", help="14 usual sizes, or 500 random ones.")] = Sizes.FEW,
    strategy: Annotated[str, typer.Option("--strategy", help="How nodes are ranked.")] = "spread",
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Decisions; the slowest counts.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Decides everything that is drawn.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[Path | None, typer.Option("--output", help="Also write the JSON to this file.")] = None,
) -> None:
    """Decide once for a fleet of three pools, from an observation to what to buy or drain; nothing is kept between.

    One request in five asks for the pool with the label. With nothing pending the decision looks for nodes to remove
    instead, which --movable makes more work. `cpu_s` and `wall_s` are those of the slowest decision.
    `observation` is what reading nodes and containers takes before it, without the network: the first time, and again.
    """
    from swarmkeeper.cli.bench.observation import observed  # boto3 is slow to load

    random = Random(seed)  # noqa: S311  not for secrets
    amounts = SIZES if sizes is Sizes.FEW else drawn_sizes(random, MANY)
    fleet = _fleet(nodes, containers, pending, movable, amounts, random)
    policies = _policies(strategy)
    took = [_timed(fleet, policies) for _ in range(rounds)]
    cpu_s, wall_s, decisions = max(took, key=lambda each: each[0])
    figures: Figures = {
        "nodes": nodes,
        "containers": containers,
        "pending": pending,
        "pools": len(POOLS),
        "movable": movable,
        "sizes": sizes.value,
        "distinct_shapes": len({(each.reservation, each.rules) for each in fleet.pending}),
        "strategy": strategy,
        "rounds": rounds,
        "seed": seed,
        "cpu_s": round(cpu_s, 4),
        "wall_s": round(wall_s, 4),
        "observation": observed(fleet),
        "rss_mb": round(resident_mib(), 1),
        "bought": {each.pool: each.desired - _desired(fleet, each.pool) for each in decisions if not each.victims},
        "removed": {each.pool: len(each.victims) for each in decisions},
        "decisions": [each.to_log() for each in decisions],
        **machine(),
    }
    tell(figures, as_json=json, output=output)


def _timed(
    fleet: FleetSnapshot, policies: Mapping[PoolName, Policy]
) -> tuple[float, float, tuple[ScalingDecision, ...]]:
    cpu, began = process_time(), perf_counter()
    decisions = decide_fleet(fleet, policies, NOW)
    return process_time() - cpu, perf_counter() - began, decisions


def _desired(fleet: FleetSnapshot, pool: PoolName) -> int:
    return next(each.group_desired for each in fleet.pools if each.name == pool)


def _policies(strategy: str) -> Mapping[PoolName, Policy]:
    """With headroom by arrivals, consolidation and generous limits, so that nothing is left out for a guard."""
    limits = Limits(removals_in_window=None, drains_at_once=50, budget_per_hour=1e6)
    policy = Policy(
        PlacementOptions(compile_re2, strategy),
        reserved_high=1.0,
        limits=limits,
        consolidation=Consolidation(min_gain=1.0),
        arrival_headroom=ArrivalHeadroom(),
    )
    return {PoolName(shape.name): policy for shape in POOLS}


def _fleet(
    nodes: int, containers: int, pending: int, movable: float, sizes: tuple[Resources, ...], random: Random
) -> FleetSnapshot:
    held: dict[NodeId, list[Container]] = {}
    records: list[Node] = []
    pools: list[PoolSnapshot] = []
    for shape in POOLS:
        pool, count = _pool(shape), round(nodes * shape.share)
        records += [_node(pool, number) for number in range(count)]
        peak = ArrivalPeak(Resources(count * NANO_CPUS_PER_CPU, count * GIB), Resources(NANO_CPUS_PER_CPU, GIB), NOW)
        pools.append(PoolSnapshot(pool, 0, 10 * count, count, ScalingState(pool.name, arrivals=peak)))
    for number in range(containers):
        at = random.randrange(len(records))
        request = _request(f"c{number:05d}", random.choice(sizes), movable=random.random() < movable)
        node = records[at]
        if request.reservation.fits_in(node.free):
            records[at] = node.holding(request.reservation)
            held.setdefault(node.id, []).append(_container(request, node.id))
    waiting = [_pending(f"p{number:05d}", random.choice(sizes), random) for number in range(pending)]
    return FleetSnapshot(records, held, waiting, tuple(pools), trigger="bench")


def _pool(shape: Shape) -> Pool:
    return Pool(
        name=PoolName(shape.name),
        role=Role.WORKER,
        group=f"bench-{shape.name}",
        min=0,
        max=100_000,
        node_capacity=Resources(shape.cpus * NANO_CPUS_PER_CPU, shape.memory_gib * GIB),
        labels={"disk": shape.disk},
        price_per_hour=shape.price,
    )


def _node(pool: Pool, number: int) -> Node:
    return Node(
        id=NodeId(f"i-{pool.name}{number:05d}"),
        pool=pool.name,
        role=Role.WORKER,
        state=NodeState.READY,
        created_at=float(number),
        state_since=float(number),
        capacity=pool.node_capacity,
        labels=pool.labels,
    )


def _request(name: str, reservation: Resources, *, movable: bool = False, rules: Rules | None = None) -> Request:
    image = "registry.example/web:1"
    return Request(ContainerName(name), image, reservation, rules or Rules(), movable=movable)


def _pending(name: str, reservation: Resources, random: Random) -> Request:
    """One in five asks for the labelled pool."""
    rules = Rules(constraints=(f"disk=={SSD}",)) if random.random() < 0.2 else None
    return _request(name, reservation, rules=rules)


def _container(request: Request, node_id: NodeId) -> Container:
    return Container(request, ContainerState.RUNNING, NOW - 5000, node=node_id)
