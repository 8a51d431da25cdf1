"""The product's whole decision, `decide_fleet`, with every guard and threshold of a configuration.

Each decision reads all nodes and containers anew, as in production: for small traces, long intervals, and checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from swarmkeeper.domain.model import Container, ContainerState, NodeId, Pool, Request
from swarmkeeper.domain.scaling.arrivals import observed
from swarmkeeper.domain.scaling.decision import ScalingDecision, decide_fleet
from swarmkeeper.domain.scaling.due import is_recheck_due, may_lose_an_empty_node
from swarmkeeper.domain.scaling.memory import after_decision
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.simulation.fleet import Fleet, request_of
from swarmkeeper.simulation.policies.base import NO_CHANGE, Change
from swarmkeeper.simulation.waiting import Waiting
from swarmkeeper.simulation.workload import Job

SCHEDULE_S = 60.0
"""How often the schedule of the scaler's function comes."""


@dataclass(frozen=True, slots=True)
class Configured:
    """One pool of a configuration: its policy, its group's bounds, and the period of its alarms.

    `alarm_period_s` is None where every moment wakes the scaler; otherwise what wakes it in production does: needs,
    alarms, and the schedule.
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
        self.state: ScalingState | None = None
        self._needed = False
        self._alarmed = False
        self._sampled_at = self._ticked_at = -inf
        self._there: dict[int, tuple[Job, Request]] = {}

    def arrived(self, job: Job) -> None:
        """The job waits or runs; placement tells of it where the headroom follows arrivals."""
        self._needed = self._needed or self._policy.arrival_headroom is not None
        self._there[job.number] = job, request_of(job.number, job.reservation)

    def ended(self, job: Job) -> None:
        """The job is gone."""
        del self._there[job.number]

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        """What the decision asks of the group; nodes it names have nothing on them, since nothing is movable."""
        if not self._is_woken(fleet, waiting, now):
            return NO_CHANGE
        self._needed = False
        seen = self._seen(fleet, now)
        limits = self._policy.limits
        decision = decide_fleet(self._snapshot(fleet, waiting, seen), {seen.name: self._policy}, now)[0]
        self.state = after_decision(seen, decision, limits, now)
        self.last = decision
        if decision.victims:
            return Change(remove=tuple(node for node in decision.victims if node in fleet.empty))
        return Change(buy=max(0, decision.desired - len(fleet)))

    def _is_woken(self, fleet: Fleet, waiting: Waiting, now: float) -> bool:
        """By a need, by an alarm that has just begun, or by the schedule."""
        if self._configured.alarm_period_s is None:
            return True
        begun = self._has_alarm_begun(fleet, now, self._configured.alarm_period_s)
        return bool(waiting) or self._needed or begun or self._has_schedule_found_something(fleet, now)

    def _has_alarm_begun(self, fleet: Fleet, now: float, period_s: float) -> bool:
        """Sample the share once a period; an alarm tells its state once, when it changes."""
        if now < self._sampled_at + period_s:
            return False
        was, share = self._alarmed, fleet.reserved_share
        self._sampled_at = now
        self._alarmed = share >= self._policy.reserved_high or share < self._policy.reserved_low
        return self._alarmed and not was

    def _has_schedule_found_something(self, fleet: Fleet, now: float) -> bool:
        """Once a minute: what `Scaler.recheck` decides for."""
        if now < self._ticked_at + SCHEDULE_S:
            return False
        self._ticked_at = now
        pool, state = self._pool(fleet), self.state or ScalingState(fleet.pool.name)
        if self._alarmed or is_recheck_due(state, now):
            return True
        nodes = map(fleet.record, fleet.ready.values())
        return may_lose_an_empty_node(pool, nodes, state, self._policy.limits, now)

    def _pool(self, fleet: Fleet) -> Pool:
        return replace(fleet.pool, min=self._configured.min, max=self._configured.max)

    def _seen(self, fleet: Fleet, now: float) -> PoolSnapshot:
        pool = self._pool(fleet)
        state = self.state or ScalingState(pool.name)
        if self._policy.arrival_headroom is not None:
            there = self._containers(fleet)
            state = replace(state, arrivals=observed(state.arrivals, there, now, self._policy.arrival_headroom))
        return PoolSnapshot(pool, pool.min, pool.max, len(fleet), state)

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
