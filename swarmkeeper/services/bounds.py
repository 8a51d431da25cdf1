"""What schedules, metrics and the forecast ask of a pool's size, read now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Node, Pool, PoolName
from swarmkeeper.domain.scaling.floors import Bounds
from swarmkeeper.domain.scaling.forecast import Load, forecast_floor, rise
from swarmkeeper.domain.scaling.schedules import Occurrence, schedule_floor
from swarmkeeper.domain.scaling.tracking import Band, tracked, unknown
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import Measures, MetricQuery

FORECAST_PERIOD_S = 300
"""The finest that CloudWatch still has after weeks."""


@dataclass(frozen=True, slots=True)
class TrackedMetric:
    """A metric, where it is found, and where it is to stay."""

    band: Band
    query: MetricQuery


@dataclass(frozen=True, slots=True)
class ForecastPlan:
    """`moments` gives the same time of the last weeks; the queries are what was reserved of the pool then."""

    cpus: MetricQuery
    memory_bytes: MetricQuery
    containers: MetricQuery
    moments: Callable[[float], tuple[float, ...]]
    ahead_s: float
    share: float
    """How much of the nodes may be reserved of what is expected."""


@dataclass(frozen=True, slots=True)
class BoundsPlan:
    """What a pool is to be sized by besides its demand; `due` gives when each schedule came into force last."""

    tracked: tuple[TrackedMetric, ...] = ()
    due: Callable[[float], tuple[Occurrence, ...]] | None = None
    forecast: ForecastPlan | None = None

    @property
    def is_empty(self) -> bool:
        return not self.tracked and self.due is None and self.forecast is None


class BoundsReader:
    """Reads the floors and ceilings of each pool. A metric that can't be read has no opinion, and says so."""

    def __init__(self, *, measures: Measures, plans: Mapping[PoolName, BoundsPlan]) -> None:
        self._measures = measures
        self._plans = plans
        self._rises: dict[PoolName, tuple[float, tuple[Load, ...]]] = {}

    def watches(self, pool: PoolName) -> bool:
        """Whether the pool has to be looked at each minute, since no alarm tells of what it is sized by."""
        return not self._plans.get(pool, BoundsPlan()).is_empty

    def of(self, pool: Pool, nodes: Sequence[Node], now: float) -> Bounds:
        """What is asked of the pool, whose nodes in service are given."""
        plan = self._plans.get(pool.name, BoundsPlan())
        found = []
        if plan.due is not None and (scheduled := schedule_floor(plan.due(now))) is not None:
            found.append(Bounds((scheduled,)))
        if plan.tracked:
            found.extend(self._tracked(plan.tracked, nodes, now))
        if plan.forecast is not None:
            found.append(self._forecast(plan.forecast, pool, nodes, now))
        return Bounds(
            tuple(floor for bounds in found for floor in bounds.floors),
            tuple(ceiling for bounds in found for ceiling in bounds.ceilings),
            tuple(reason for bounds in found for reason in bounds.silent),
        )

    def _tracked(self, metrics: Sequence[TrackedMetric], nodes: Sequence[Node], now: float) -> list[Bounds]:
        """Each metric's opinion; ceilings only when every metric that the pool shrinks by offers one."""
        window_s = max(metric.band.window_s for metric in metrics)
        try:
            series = self._measures.series([metric.query for metric in metrics], start=now - window_s, end=now)
        except Unavailable as error:
            return [unknown(each.band, len(nodes), f"{each.band.metric} can't be read: {error}") for each in metrics]
        since = [node.state_since for node in nodes]
        opinions = [tracked(points, metric.band, since, now) for metric, points in zip(metrics, series, strict=True)]
        agreed = (bool(opinion.ceilings) for opinion, each in zip(opinions, metrics, strict=True) if each.band.scale_in)
        if all(agreed):
            return opinions
        return [Bounds(each.floors, (), each.silent) for each in opinions]

    def _forecast(self, plan: ForecastPlan, pool: Pool, nodes: Sequence[Node], now: float) -> Bounds:
        try:
            rises = self._weeks(plan, pool.name, now)
        except Unavailable as error:
            return Bounds(silent=(f"past weeks can't be read: {error}",))
        if not rises:
            return Bounds(silent=("forecast: no data of past weeks",))
        floor = forecast_floor(_load(nodes), rises, pool, plan.share)
        return Bounds() if floor is None else Bounds((floor,))

    def _weeks(self, plan: ForecastPlan, pool: PoolName, now: float) -> tuple[Load, ...]:
        """Each past week's rise; read once in five minutes, since nothing finer was kept."""
        slot = now // FORECAST_PERIOD_S * FORECAST_PERIOD_S
        known = self._rises.get(pool)
        if known is None or known[0] != slot:
            weeks = (self._rise(plan, moment) for moment in plan.moments(slot))
            known = (slot, tuple(each for each in weeks if each is not None))
            self._rises[pool] = known
        return known[1]

    def _rise(self, plan: ForecastPlan, moment: float) -> Load | None:
        ahead_s = plan.ahead_s + FORECAST_PERIOD_S  # this slot may be asked for until its end
        queries = (plan.cpus, plan.memory_bytes, plan.containers)
        series = self._measures.series(queries, start=moment - FORECAST_PERIOD_S, end=moment + ahead_s)
        rises = [rise(points, moment, ahead_s, FORECAST_PERIOD_S) for points in series]
        if any(each is None for each in rises):
            return None
        return Load(*(each or 0.0 for each in rises))


def _load(nodes: Sequence[Node]) -> Load:
    return Load(
        sum(node.reserved.nano_cpus for node in nodes) / NANO_CPUS_PER_CPU,
        float(sum(node.reserved.memory_bytes for node in nodes)),
        float(sum(node.containers for node in nodes)),
    )
