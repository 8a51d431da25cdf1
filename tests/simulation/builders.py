"""Workloads, models and replays with defaults."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.simulation.experiment import Setup
from swarmkeeper.simulation.model import PoolModel
from swarmkeeper.simulation.workload import Job, Workload
from tests.fakes.builders import resources

EXCERPT = Path(__file__).parents[1] / "data" / "traces" / "azure-v1-excerpt.csv.gz"
HEADING = "arrival_s,tenant_batch,vcpu,mem_gb,lifetime_min_s,lifetime_max_s,censored\n"
SMALL_NODE = resources(4, 4096)


def a_model(
    node: Resources = SMALL_NODE, boot_s: float = 90.0, decision_s: float = 5.0, launch_failures: float = 0.0
) -> PoolModel:
    """A pool of nodes of 4 CPUs and 4 GiB."""
    return PoolModel(node, boot_s, decision_s, launch_failures=launch_failures)


def a_workload(jobs: Iterable[tuple[float, float, float]], end_s: float = 10_000.0, memory_mib: int = 256) -> Workload:
    """Jobs as (arrival, lifetime, CPUs)."""
    ordered = sorted(jobs)
    return Workload(
        tuple(Job(n, at, long, resources(cpus, memory_mib)) for n, (at, long, cpus) in enumerate(ordered)), end_s
    )


def options(strategy: str = "binpack") -> PlacementOptions:
    return PlacementOptions(compile_re2, strategy)


def a_setup(model: PoolModel | None = None, warmup_s: float = 0.0, seed: int = 1) -> Setup:
    """An experiment without a warm-up."""
    model = model or a_model()
    return Setup(model, options(), ArrivalHeadroom(boot_s=model.boot_s), "binpack", warmup_s, seed)
