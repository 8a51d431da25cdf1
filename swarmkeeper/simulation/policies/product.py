"""The product's whole decision, `decide_fleet`, with every guard and threshold of a configuration.

Each decision reads all nodes and containers anew, as in production: for small traces, long intervals, and checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from swarmkeeper.domain.model import Container, ContainerState, NodeId, Request
from swarmkeeper.domain.scaling.arrivals import observed
from swarmkeeper.domain.scaling.decision import ScalingDecision, decide_fleet
from swarmkeeper.domain.scaling.memory import after_decision
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.simulation.fleet import Fleet, request_of
from swarmkeeper.simulation.policies.base import NO_CHANGE, Change
from swarmkeeper.simulation.waiting import Waiting
from swarmkeeper.simulation.workload import Job


@dataclass(frozen=True, slots=True)
class Configured:
    """One pool of a configuration: its policy, its group's bounds, and how often something wakes the scaler.

    `alarm_period_s` is None where every moment does; otherwise alarms do, what waits, and a due recheck.
    """

    policy: Policy
    min: int
    max: int
    alarm_period_s: float | None = None


class Product:
    """Decides as the scaler does: observe, decide, remember."""

    def __init__(self, configured: Configured, every_s: float) -> None:
        self.every_s = every_s
        self.last: ScalingDecision | None = None
        self._configured = configured
        self._policy = configured.policy
        self._state: ScalingState | None = None
        self._decided_at = -inf
        self._there: dict[int, tuple[Job, Request]] = {}

    def arrived(self, job: Job) -> None:
        """The job waits or runs."""
        self._there[job.number] = job, request_of(job.number, job.reservation)

    def ended(self, job: Job) -> None:
        """The job is gone."""
        del self._there[job.number]

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        """What the decision asks of the group; nodes it names have nothing on them, since nothing is movable."""
        if not (waiting or self._is_due(now)):
            return NO_CHANGE
        self._decided_at = now
        seen = self._seen(fleet, now)
        limits = self._policy.limits
        decision = decide_fleet(self._snapshot(fleet, waiting, seen), {seen.name: self._policy}, now)[0]
        self._state = after_decision(seen, decision, limits, now)
        self.last = decision
        if decision.victims:
            return Change(remove=tuple(node for node in decision.victims if node in fleet.empty))
        return Change(buy=max(0, decision.desired - len(fleet)))

    def _is_due(self, now: float) -> bool:
        period_s = self._configured.alarm_period_s
        if period_s is None or now >= self._decided_at + period_s:
            return True
        recheck_at = self._state.recheck_at if self._state else None
        return recheck_at is not None and now >= recheck_at

    def _seen(self, fleet: Fleet, now: float) -> PoolSnapshot:
        least, most = self._configured.min, self._configured.max
        pool = replace(fleet.pool, min=least, max=most)
        state = self._state or ScalingState(pool.name)
        if self._policy.arrival_headroom is not None:
            there = self._containers(fleet)
            state = replace(state, arrivals=observed(state.arrivals, there, now, self._policy.arrival_headroom))
        return PoolSnapshot(pool, least, most, len(fleet), state)

    def _snapshot(self, fleet: Fleet, waiting: Waiting, seen: PoolSnapshot) -> FleetSnapshot:
        nodes = [fleet.record(node) for node in (*fleet.ready.values(), *fleet.booting)]
        standing: dict[NodeId, list[Container]] = {}
        for container in self._containers(fleet):
            if container.node is not None:
                standing.setdefault(container.node, []).append(container)
        pending = [request_of(job.number, job.reservation) for job in waiting]
        return FleetSnapshot(nodes, standing, pending, (seen,), "simulated")

    def _containers(self, fleet: Fleet) -> Iterator[Container]:
        for job, request in self._there.values():
            placed = fleet.is_placed(job)
            yield Container(
                request=request,
                state=ContainerState.RUNNING if placed else ContainerState.PENDING,
                requested_at=job.at,
                node=fleet.node_of(job) if placed else None,
            )
