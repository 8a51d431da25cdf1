"""What each pool's settings want it sized by besides its demand: metrics, schedules, the forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from swarmkeeper.adapters.aws.metrics import NAMESPACE, RESERVED_CONTAINERS, RESERVED_CPUS, RESERVED_MEMORY
from swarmkeeper.domain.model import PoolName, Role
from swarmkeeper.domain.scaling.schedules import Occurrence
from swarmkeeper.domain.scaling.tracking import Band
from swarmkeeper.edge.cron import last_due, weeks_before
from swarmkeeper.edge.pools import group_name
from swarmkeeper.edge.settings import Settings
from swarmkeeper.edge.settings_scaling import PoolScaling, ScheduleSettings, TrackingSettings
from swarmkeeper.ports import MetricQuery
from swarmkeeper.services.bounds import FORECAST_PERIOD_S, BoundsPlan, ForecastPlan, TrackedMetric

Dimensions = tuple[tuple[str, str], ...]


def bounds_plans(settings: Settings) -> Mapping[PoolName, BoundsPlan]:
    """Every pool of workers' plan."""
    return {PoolName(name): _plan(settings, name) for name in settings.pools_of(Role.WORKER)}


def _plan(settings: Settings, pool: str) -> BoundsPlan:
    scaling, ours = settings.scaling_of(pool), (("Fleet", settings.fleet), ("Pool", pool))
    group = (("AutoScalingGroupName", group_name(settings.fleet, pool)),)
    return BoundsPlan(
        tracked=tuple(TrackedMetric(_band(each), _query(each, ours, group)) for each in scaling.tracking),
        due=partial(due, scaling.schedules) if scaling.schedules else None,
        forecast=_forecast(scaling, ours) if scaling.forecast.enabled else None,
    )


def due(schedules: Sequence[ScheduleSettings], now: float) -> tuple[Occurrence, ...]:
    """When each schedule came into force last; those that never did are left out."""
    found = ((each, last_due(each.cron, each.timezone, now)) for each in schedules)
    return tuple(Occurrence(at, each.min, f"{each.cron} ({each.timezone})") for each, at in found if at is not None)


def _band(tracking: TrackingSettings) -> Band:
    name = tracking.name if tracking.metric == "custom" else tracking.metric
    low, high, target = tracking.low, tracking.high, tracking.target
    if low is None or high is None:
        around = target or 0.0  # the settings have one or the other
        return Band.around(
            name or "", around, tracking.tolerance, tracking.period, tracking.datapoints, scale_in=tracking.scale_in
        )
    middle = (low + high) / 2 if target is None else target
    return Band(name or "", low, high, middle, tracking.period, tracking.datapoints, tracking.scale_in)


def _query(tracking: TrackingSettings, ours: Dimensions, group: Dimensions) -> MetricQuery:
    period = int(tracking.period)
    match tracking.metric:
        case "reserved_share":
            return MetricQuery(NAMESPACE, "ReservedShare", ours, "Average", period)
        case "cpu_utilization":
            return MetricQuery("AWS/EC2", "CPUUtilization", group, "Average", period)
        case "memory_used":
            return MetricQuery("CWAgent", "mem_used_percent", group, "Average", period)
        case "custom":
            dimensions = tuple(tracking.dimensions.items())
            return MetricQuery(tracking.namespace or "", tracking.name or "", dimensions, tracking.statistic, period)


def _forecast(scaling: PoolScaling, ours: Dimensions) -> ForecastPlan:
    forecast = scaling.forecast
    cpus, memory, containers = (
        MetricQuery(NAMESPACE, name, ours, "Maximum", FORECAST_PERIOD_S)
        for name in (RESERVED_CPUS, RESERVED_MEMORY, RESERVED_CONTAINERS)
    )
    return ForecastPlan(
        cpus=cpus,
        memory_bytes=memory,
        containers=containers,
        moments=partial(weeks_before, weeks=forecast.weeks, timezone=forecast.timezone),
        ahead_s=float(forecast.boot_time),
        share=scaling.reserved_high,
    )
