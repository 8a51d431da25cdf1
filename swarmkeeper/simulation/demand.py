"""What the workload asks for over time, cut to pieces if need be: what no policy can do with less than."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swarmkeeper.domain.model import Resources
from swarmkeeper.simulation.workload import Workload


@dataclass(frozen=True, slots=True)
class DemandStep:
    """From `at` on, until the next step, so many nodes' worth is asked for."""

    at: float
    nodes: float


def demand_of(workload: Workload, node: Resources) -> tuple[DemandStep, ...]:
    """The larger of CPU and memory asked for, in nodes, as if each job ran from its arrival on."""
    changes: list[tuple[float, int, int]] = []
    for job in workload.jobs:
        size = job.reservation
        changes.append((job.at, size.nano_cpus, size.memory_bytes))
        if job.at + job.lifetime_s < workload.end_s:
            changes.append((job.at + job.lifetime_s, -size.nano_cpus, -size.memory_bytes))
    changes.sort()
    steps, cpus, memory = [DemandStep(0.0, 0.0)], 0, 0
    for at, more_cpus, more_memory in changes:
        cpus, memory = cpus + more_cpus, memory + more_memory
        steps.append(DemandStep(at, max(cpus / node.nano_cpus, memory / node.memory_bytes)))
    return tuple(steps)


def bound_node_hours(demand: Sequence[DemandStep], since: float, until: float) -> float:
    """The integral of the demand: the fewest node-hours that could hold it."""
    total = 0.0
    ends = [step.at for step in demand[1:]] + [until]
    for step, end in zip(demand, ends, strict=True):
        total += step.nodes * max(0.0, min(end, until) - max(step.at, since))
    return total / 3600


def peak_nodes(demand: Sequence[DemandStep], since: float = 0.0) -> float:
    """The most that is asked for at once from `since` on."""
    return max((step.nodes for step in demand if step.at >= since), default=0.0)
