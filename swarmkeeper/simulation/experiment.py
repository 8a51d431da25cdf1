"""An experiment: one trace, one model of a pool, and what several policies make of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Resources
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.errors import InvalidInput
from swarmkeeper.simulation.demand import DemandStep, bound_node_hours, demand_of, peak_nodes
from swarmkeeper.simulation.measures import Measures, percentile, waited_share
from swarmkeeper.simulation.model import GIB, PoolModel
from swarmkeeper.simulation.named import FIXED_SHARE, NamedPolicy, policy_named
from swarmkeeper.simulation.policies.product import Configured
from swarmkeeper.simulation.policies.step import Steps
from swarmkeeper.simulation.policies.tracking import IN_SAMPLES, OUT_SAMPLES
from swarmkeeper.simulation.replay import Progress, Replay, nobody_told
from swarmkeeper.simulation.trace import Trace
from swarmkeeper.simulation.workload import Batches, Job, Workload, draw

FULL, SHORT = "full", "short"


@dataclass(frozen=True, slots=True)
class Setup:
    """What is the same for all policies. `headroom` and `strategy` are those of our own policy.

    `configured` is what the policy `config` decides by.
    """

    model: PoolModel
    options: PlacementOptions
    headroom: ArrivalHeadroom
    strategy: str
    warmup_s: float = 12 * 3600.0
    seed: int = 1
    batches: Batches = Batches.APART
    configured: Configured | None = None

    def to_json(self) -> dict[str, object]:
        """The parameters as plain values."""
        model, headroom = self.model, self.headroom
        return {
            "node_vcpu": model.node.nano_cpus / NANO_CPUS_PER_CPU,
            "node_gb": model.node.memory_bytes / GIB,
            "boot_s": model.boot_s,
            "decision_s": model.decision_s,
            "alarm_period_s": model.alarm_period_s,
            "price_per_hour": model.price_per_hour,
            "launch_failures": model.launch_failures,
            "warmup_s": self.warmup_s,
            "seed": self.seed,
            "batches": self.batches.value,
            "ours": {
                "strategy": self.strategy,
                "boot_s": headroom.boot_s,
                "memory_s": headroom.memory_s,
                "percent": headroom.percent,
                "spare_nodes": headroom.spare_nodes,
            },
            "step": asdict(Steps()),
            "tracking": {"out_samples": OUT_SAMPLES, "in_samples": IN_SAMPLES},
            "fixed": {"share_at_peak": FIXED_SHARE},
            "removed": "empty nodes only; nothing is movable",
            "bound": "the integral of max(CPU asked for / node's CPU, memory asked for / node's memory)",
        }


@dataclass(frozen=True, slots=True)
class Profile:
    """A workload with what it needs at least; `name` is `full`, or `short` where long lifetimes are left out.

    `refused` counts the jobs that no node could ever hold, which are left out.
    """

    name: str
    workload: Workload
    demand: tuple[DemandStep, ...]
    bound_node_hours: float
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What one policy made of one profile."""

    policy: str
    strategy: str
    profile: Profile
    measures: Measures
    price: float
    cpu_s: float

    @property
    def node_hours(self) -> float:
        return self.measures.node_s / 3600

    @property
    def ratio(self) -> float:
        """Node-hours over the bound; 0 where nothing was asked for."""
        bound = self.profile.bound_node_hours
        return self.node_hours / bound if bound > 0 else 0.0

    @property
    def p99_s(self) -> float:
        return percentile(self.measures.waits, 99)

    @property
    def waited_share(self) -> float:
        return waited_share(self.measures.waits)

    def to_json(self) -> dict[str, object]:
        """The figures as plain values; times in seconds, shares 0 to 1."""
        measures = self.measures
        return {
            "policy": self.policy,
            "profile": self.profile.name,
            "strategy": self.strategy,
            "node_hours": round(self.node_hours, 2),
            "price": round(self.price, 2),
            "bound_node_hours": round(self.profile.bound_node_hours, 2),
            "ratio": round(self.ratio, 5),
            "wait_p50_s": round(percentile(measures.waits, 50), 3),
            "wait_p95_s": round(percentile(measures.waits, 95), 3),
            "wait_p99_s": round(self.p99_s, 3),
            "waited_share": round(self.waited_share, 6),
            "bought": measures.bought,
            "removed": measures.removed,
            "moves": 0,
            "flaps": measures.flaps,
            "failed_launches": measures.failed,
            "arrivals": len(measures.waits),
            "refused": self.profile.refused,
            "cpu_s": round(self.cpu_s, 2),
        }


def profile_of(trace: Trace, setup: Setup, max_lifetime_s: float | None) -> Profile:
    """Draw the workload of a profile. Raises InvalidInput when nothing is left of the trace to count."""
    name = FULL if max_lifetime_s is None else SHORT
    drawn = draw(trace, setup.seed, max_lifetime_s=max_lifetime_s, batches=setup.batches)
    workload = _fitting(drawn, setup.model.node)
    if drawn.jobs and not workload.jobs:
        raise InvalidInput("node", f"{setup.model.node} hold none of the trace's containers")
    if not any(job.at >= setup.warmup_s for job in workload.jobs):
        raise InvalidInput("warmup", f"no arrival of profile {name!r} comes after {setup.warmup_s:g} s")
    demand = demand_of(workload, setup.model.node)
    bound = bound_node_hours(demand, setup.warmup_s, workload.end_s)
    return Profile(name, workload, demand, bound, len(drawn.jobs) - len(workload.jobs))


def run_policy(name: str, profile: Profile, setup: Setup, progress: Progress = nobody_told) -> Result:
    """Replay a profile under the policy of this name."""
    named = policy_named(
        name, setup.model, setup.headroom, setup.strategy, peak_nodes(profile.demand), setup.configured
    )
    return run_named(named, profile, setup, progress)


def run_named(named: NamedPolicy, profile: Profile, setup: Setup, progress: Progress = nobody_told) -> Result:
    """Replay a profile under a policy that has decided nothing yet."""
    began = time.process_time()
    replay = Replay(
        profile.workload,
        setup.model,
        named.policy,
        replace(setup.options, strategy=named.strategy),
        first_nodes=named.first_nodes,
        warmup_s=setup.warmup_s,
        seed=setup.seed,
    )
    measures = replay.run(progress)
    price = measures.node_s / 3600 * setup.model.price_per_hour
    return Result(named.name, named.strategy, profile, measures, price, time.process_time() - began)


def to_json(setup: Setup, trace: Trace, max_lifetime_s: float | None, results: Sequence[Result]) -> dict[str, object]:
    """The whole experiment as one object; `max_lifetime_s` is that of the profile short."""
    parameters = {"trace": trace.name, "trace_arrivals": len(trace.rows), "trace_s": trace.length_s}
    parameters |= {"max_lifetime_s": max_lifetime_s, **setup.to_json()}
    return {"parameters": parameters, "policies": [each.to_json() for each in results]}


def _fitting(workload: Workload, node: Resources) -> Workload:
    """The jobs that an empty node could hold: a fleet refuses the others at once."""
    held = [job for job in workload.jobs if job.reservation.fits_in(node)]
    jobs = tuple(Job(number, job.at, job.lifetime_s, job.reservation) for number, job in enumerate(held))
    return Workload(jobs, workload.end_s)
