"""The scaling part of swarmkeeper.yaml: for the fleet, and what a pool has of its own; docs/scaling.md explains it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from swarmkeeper.edge.cron import check_cron, check_timezone
from swarmkeeper.edge.quantities import Seconds
from swarmkeeper.edge.settings_fields import AlarmPeriod, Amount, Count, Flag, Number, Share, Strict, broken
from swarmkeeper.edge.settings_rules import Problem, shares

PERCENT = frozenset({"cpu_utilization", "memory_used"})
"""The metrics that are told in percent; `reserved_share` is a share, and custom ones have a unit of their own."""
NOT_CUSTOM: dict[str, object] = {"namespace": None, "name": None, "dimensions": {}, "statistic": "Average"}
FIVE_MINUTE_DAYS = 63
"""How long CloudWatch keeps datapoints of five minutes: no forecast looks further back."""
BASIC_MONITORING_S = 300
"""How often EC2 measures instances without detailed monitoring."""
DAY_S = 24 * 3600


def _cron(value: str) -> str:
    try:
        return check_cron(value)
    except ValueError as error:
        raise PydanticCustomError("cron", "{problem}", {"problem": str(error)}) from error


def _timezone(value: str) -> str:
    try:
        return check_timezone(value)
    except ValueError as error:
        raise PydanticCustomError("timezone", "{problem}", {"problem": str(error)}) from error


Cron = Annotated[str, Field(max_length=100), AfterValidator(_cron)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_timezone)]
Window = Annotated[Seconds, Field(ge=10, le=DAY_S)]
Nodes = Annotated[Count, Field(ge=1, le=1000)]
Dimension = Annotated[str, Field(min_length=1, max_length=255)]


class Headroom(Amount):
    """Room kept free for requests to come."""

    containers: Annotated[Count, Field(ge=0)] = 0


class ArrivalHeadroomSettings(Strict):
    """Room kept free for what arrives while a node boots, by the highest of the last time."""

    boot_time: Annotated[Seconds, Field(ge=10, le=3600)] = 90
    """How long a node takes from the purchase until it serves."""
    memory: Annotated[Seconds, Field(ge=60, le=7 * DAY_S)] = 3600
    """For how long a peak of arrivals is remembered, less and less of it."""
    percent: Annotated[Count, Field(ge=1, le=1000)] = 120
    """How much of that peak is kept free."""
    spare_nodes: Annotated[Count, Field(ge=0, le=100)] = 1
    """Nodes go only while so many more than that are free, or they would be bought and sold by turns."""


class MaxAdditions(Strict):
    """At most so many nodes are bought within a window."""

    nodes: Nodes
    window: Window


class MaxRemovals(Strict):
    """At most so many nodes, or this share of them, but one at least, are removed within a window."""

    nodes: Nodes | None = None
    share: Annotated[Share, Field(gt=0)] | None = None
    window: Window = 300

    @model_validator(mode="after")
    def _says_how_many(self) -> Self:
        if (self.nodes is None) == (self.share is None):
            raise PydanticCustomError("fuse", "give either nodes or share")
        return self


class ConsolidationSettings(Strict):
    """Several half-empty nodes are emptied into others once that frees so much."""

    min_gain: Annotated[Number, Field(gt=0)]
    """In price per hour where the pool has a price, in nodes where it has none."""


class TrackingSettings(Strict):
    """A metric that is kept at a target, or within a band."""

    metric: Literal["reserved_share", "cpu_utilization", "memory_used", "custom"]
    target: Annotated[Number, Field(gt=0)] | None = None
    low: Annotated[Number, Field(gt=0)] | None = None
    high: Annotated[Number, Field(gt=0)] | None = None
    tolerance: Annotated[Share, Field(lt=1)] = 0.1
    """The pool shrinks below the target less this share of it."""
    period: AlarmPeriod = 60
    datapoints: Annotated[Count, Field(ge=1, le=120)] = 15
    """So many in a row must be low before the pool shrinks."""
    scale_in: Flag = True
    namespace: Dimension | None = None
    name: Dimension | None = None
    dimensions: Annotated[dict[Dimension, Dimension], Field(max_length=30)] = Field(default_factory=dict)
    statistic: Literal["Average", "Minimum", "Maximum", "Sum"] = "Average"

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        broken((*_band(self), *_units(self), *_identity(self)))
        return self


def _band(tracking: TrackingSettings) -> Iterator[Problem]:
    low, high, target = tracking.low, tracking.high, tracking.target
    if (low is None) != (high is None):
        yield Problem(("high" if high is None else "low",), "low and high go together")
    elif low is None and target is None:
        yield Problem((), "give a target, or low and high")
    elif low is not None and high is not None:
        if low >= high:
            yield Problem(("low",), f"{low:g} is not below high {high:g}")
        elif target is not None and not low < target <= high:
            yield Problem(("target",), f"{target:g} is not between low {low:g} and high {high:g}")


def _units(tracking: TrackingSettings) -> Iterator[Problem]:
    for field in ("target", "low", "high"):
        value = getattr(tracking, field)
        if value is None:
            continue
        if tracking.metric == "reserved_share" and value > 1:
            yield Problem((field,), f"{value:g}: reserved_share is a share, from 0 to 1")
        if tracking.metric in PERCENT and not 1 <= value <= 100:
            yield Problem((field,), f"{value:g}: {tracking.metric} is in percent, from 1 to 100")


def _identity(tracking: TrackingSettings) -> Iterator[Problem]:
    if tracking.metric == "custom":
        for field in ("namespace", "name"):
            if getattr(tracking, field) is None:
                yield Problem((field,), "is missing: a custom metric is found by namespace, name and dimensions")
        return
    for field, default in NOT_CUSTOM.items():
        if getattr(tracking, field) != default:
            yield Problem((field,), f"belongs to custom metrics; where {tracking.metric} is found is known")


class ScheduleSettings(Strict):
    """A minimum from each time that the expression is due until another schedule's is."""

    cron: Cron
    timezone: TimeZone = "UTC"
    min: Annotated[Count, Field(ge=0, le=1000)]


class ForecastSettings(Strict):
    """Nodes for what came at this time of the last weeks, bought a boot time ahead."""

    enabled: Flag = False
    weeks: Annotated[Count, Field(ge=2, le=FIVE_MINUTE_DAYS // 7 - 1)] = 4
    boot_time: Annotated[Seconds, Field(ge=60, le=3600)] = 180
    """How far ahead the forecast looks: as long as a node takes from the purchase until it serves."""
    timezone: TimeZone = "UTC"
    """By whose clocks the people who make the demand live."""


class PoolScaling(Strict):
    """What each pool may have of its own; of the fleet it has what it doesn't say. A value replaces another whole."""

    dry_run: Flag = False
    """Decide, log and store, but change nothing."""
    reserved_high: Share = 0.8
    reserved_low: Share = 0.3
    headroom: Headroom = Headroom()
    arrival_headroom: ArrivalHeadroomSettings | None = None
    out_cooldown: Annotated[Seconds, Field(le=DAY_S)] = 10
    in_cooldown: Annotated[Seconds, Field(le=DAY_S)] = 300
    max_additions: MaxAdditions | None = None
    max_removals: MaxRemovals = MaxRemovals(share=0.1)
    drains_at_once: Annotated[Count, Field(ge=1, le=1000)] = 5
    unavailable_for: Annotated[Seconds, Field(ge=30, le=DAY_S)] = 600
    """For how long a pool is passed over after a launch failed."""
    consolidation: ConsolidationSettings | None = None
    max_node_age: Annotated[Seconds, Field(ge=3600)] | None = None
    replace_drifted: Flag = False
    """Whether nodes of another machine image than new ones get are replaced."""
    tracking: Annotated[tuple[TrackingSettings, ...], Field(max_length=10)] = ()
    schedules: Annotated[tuple[ScheduleSettings, ...], Field(max_length=50)] = ()
    forecast: ForecastSettings = ForecastSettings()

    @property
    def tracks_cpu_each_minute(self) -> bool:
        """Whether EC2's own CPU metric is looked at more often than EC2 measures without detailed monitoring."""
        cpu = (each for each in self.tracking if each.metric == "cpu_utilization")
        return any(each.period < BASIC_MONITORING_S for each in cpu)


class PoolScalingOverrides(PoolScaling):
    """What a pool's `scaling` says; only that is written again, so that it reads back the same."""

    @model_serializer(mode="wrap")
    def _as_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name: value for name, value in serialize(self).items() if name in self.model_fields_set}

    def over(self, fleet: PoolScaling) -> PoolScaling:
        """The fleet's settings with this pool's own; rules across fields are not checked here."""
        own = {name: getattr(self, name) for name in self.model_fields_set}
        base = {name: getattr(fleet, name) for name in PoolScaling.model_fields}
        return PoolScaling.model_construct(**(base | own))


class ScalingSettings(PoolScaling):
    """The fleet's scaling settings."""

    alarm_period: AlarmPeriod = 60
    capacity_events: Flag = True
    """Whether placement wakes the scaler itself when something has to wait, ahead of the alarm."""
    budget_per_hour: Annotated[Number, Field(gt=0)] | None = None
    """What all pools of workers together may cost, in the unit of the pools' price."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        broken(shares(self.reserved_low, self.reserved_high))
        return self
