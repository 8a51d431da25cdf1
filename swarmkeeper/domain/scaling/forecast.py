"""What the next boot time will ask for, by what it asked for at the same time of the last weeks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swarmkeeper.domain.model import Pool
from swarmkeeper.domain.scaling.floors import Floor, Source
from swarmkeeper.domain.scaling.tracking import ROUNDING, Datapoint

LEAST_WEEKS = 2
"""One week is no pattern."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is reserved of a pool, or by how much that rose."""

    cpus: float = 0.0
    memory_bytes: float = 0.0
    containers: float = 0.0


def rise(points: Sequence[Datapoint], at: float, ahead_s: float, period_s: float) -> float | None:
    """By how much a metric rose in `ahead_s` from `at` on, 0 when it fell; None without data on both sides.

    From the last period that had ended by then to the highest of those that overlap what came.
    """
    before = [point for point in points if at - 2 * period_s < point.at <= at - period_s]
    after = [point.value for point in points if at - period_s < point.at < at + ahead_s]
    if not before or not after:
        return None
    return max(0.0, max(after) - max(before, key=lambda point: point.at).value)


def expected(present: Load, rises: Sequence[Load]) -> Load | None:
    """What is reserved now and the median rise of the weeks, the upper one of two; None for too few weeks.

    Each dimension has a median of its own. The rise counts, not the level: a fleet that has grown since is no
    reason to expect less.
    """
    if len(rises) < LEAST_WEEKS:
        return None
    return Load(
        present.cpus + _median([each.cpus for each in rises]),
        present.memory_bytes + _median([each.memory_bytes for each in rises]),
        present.containers + _median([each.containers for each in rises]),
    )


def forecast_floor(present: Load, rises: Sequence[Load], pool: Pool, share: float) -> Floor | None:
    """As many nodes as hold what is expected with at most `share` of them reserved; None when nothing is expected.

    `rises` holds one entry a week. The least of a floor is what is reserved: what is free now is not counted on,
    since it may be in pieces.
    """
    load = expected(present, rises)
    if load is None or load == present:
        return None
    nodes = _nodes_for(load, pool, share)
    amounts = f"{load.cpus:g} CPUs, {load.memory_bytes / 2**30:.1f} GiB and {load.containers:g} containers"
    return Floor(nodes, Source.FORECAST, f"{len(rises)} weeks expect {amounts}: {nodes} nodes")


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _nodes_for(load: Load, pool: Pool, share: float) -> int:
    offered = (
        (load.cpus * 1e9, pool.node_capacity.nano_cpus),
        (load.memory_bytes, pool.node_capacity.memory_bytes),
        (load.containers, pool.slots or 0),
    )
    return max((_ceil(wanted / (each * share)) for wanted, each in offered if each > 0), default=0)


def _ceil(value: float) -> int:
    return math.ceil(value - ROUNDING)
