"""When an alarm changes state. Pure: metric data and time come in, a verdict goes out.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

EXTRA_POINTS = 2
"""How many more periods than it needs an alarm looks back, to make up for missing data; AWS's tables show 2 for 3."""

HIGH_RESOLUTION_S = (10, 20, 30)
"""Periods of high-resolution alarms, which are evaluated every 10 seconds; others every minute."""


class AlarmState(StrEnum):
    """An alarm's state."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Missing(StrEnum):
    """What an alarm takes missing data for."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


OPERATORS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (lambda value, limit: value >= limit, "greater than or equal to"),
    "GreaterThanThreshold": (lambda value, limit: value > limit, "greater than"),
    "LessThanThreshold": (lambda value, limit: value < limit, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, limit: value <= limit, "less than or equal to"),
}
"""Each comparison, and its words in a reason."""

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


@dataclass(frozen=True, slots=True)
class Sample:
    """One datum of a metric: a value, or a set of values as their statistics."""

    at: float
    total: float
    count: float
    low: float
    high: float

    @classmethod
    def of(cls, at: float, value: float) -> Sample:
        """A single value."""
        return cls(at, value, 1.0, value, value)


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """What an alarm compares."""

    period_s: int
    evaluation_periods: int
    datapoints_to_alarm: int
    statistic: str
    """One of STATISTICS, or a percentile such as `p99.5`."""
    operator: str
    threshold: float
    missing: Missing = Missing.MISSING

    @property
    def interval_s(self) -> int:
        """How often it is evaluated; windows end on a multiple of it."""
        return 10 if self.period_s in HIGH_RESOLUTION_S else 60

    @property
    def range_periods(self) -> int:
        """How many periods it looks back over."""
        return self.evaluation_periods + EXTRA_POINTS

    def breaches(self, value: float) -> bool:
        """Whether a datapoint is on the alarm's side of the threshold."""
        return OPERATORS[self.operator][0](value, self.threshold)


@dataclass(frozen=True, slots=True)
class Point:
    """A period's datapoint; None where the metric has no data."""

    start: float
    value: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that the data call for, and the datapoints that decided, newest first."""

    state: AlarmState
    considered: tuple[Point, ...]
    filled: int
    """How many missing datapoints were counted as breaching or not."""


def window_end(rule: AlarmRule, now: float) -> float:
    """The end of the newest whole window at `now`."""
    return math.floor(now / rule.interval_s) * float(rule.interval_s)


def points_of(
    rule: AlarmRule, samples: Sequence[Sample], end: float, *, statistic: str | None = None
) -> tuple[Point, ...]:
    """The datapoints of the evaluation range that ends at `end`, oldest first; by the rule's statistic or this one."""
    points = []
    for back in range(rule.range_periods, 0, -1):
        start = end - back * rule.period_s
        within = [sample for sample in samples if start <= sample.at < start + rule.period_s]
        points.append(Point(start, statistic_of(statistic or rule.statistic, within) if within else None))
    return tuple(points)


def statistic_of(statistic: str, samples: Sequence[Sample]) -> float:
    """A statistic of at least one sample."""
    count = sum(sample.count for sample in samples)
    total = sum(sample.total for sample in samples)
    if statistic.startswith("p"):
        return _percentile(float(statistic[1:]), samples)
    return {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count if count else 0.0,
        "Minimum": min(sample.low for sample in samples),
        "Maximum": max(sample.high for sample in samples),
    }[statistic]


def evaluate(rule: AlarmRule, points: Sequence[Point], current: AlarmState) -> Verdict:
    """The state after looking at `points` (oldest first, `rule.range_periods` of them).

    With enough real datapoints only the newest `evaluation_periods` of them count, and missing ones don't matter;
    with fewer, the rule's treatment of missing data fills the gap.
    """
    real = [point for point in points if point.value is not None][-rule.evaluation_periods :]
    breaching = sum(rule.breaches(point.value) for point in real if point.value is not None)
    lacking = rule.evaluation_periods - len(real)
    state, filled = _state(rule, points, breaching, len(real) - breaching, lacking, current)
    return Verdict(state, tuple(reversed(real)), filled)


def _state(
    rule: AlarmRule, points: Sequence[Point], breaching: int, fine: int, lacking: int, current: AlarmState
) -> tuple[AlarmState, int]:
    if breaching >= rule.datapoints_to_alarm:
        return AlarmState.ALARM, 0
    if lacking == 0 or rule.missing is Missing.NOT_BREACHING:
        return AlarmState.OK, lacking
    if rule.missing is Missing.BREACHING:
        return (AlarmState.ALARM if breaching + lacking >= rule.datapoints_to_alarm else AlarmState.OK), lacking
    if fine:
        return AlarmState.OK, 0
    if rule.missing is Missing.IGNORE:
        return current, 0
    if not breaching:
        return AlarmState.INSUFFICIENT_DATA, 0
    return (AlarmState.ALARM if _old_enough(rule, points) else current), 0


def _old_enough(rule: AlarmRule, points: Sequence[Point]) -> bool:
    """Whether the oldest datapoint (all of them breach) is at least `datapoints_to_alarm` periods old.

    This is how AWS avoids a premature alarm on `- - - - X`, and still alarms on `- - X - -`.
    """
    oldest = next(index for index, point in enumerate(points) if point.value is not None)
    return len(points) - oldest >= rule.datapoints_to_alarm


def _percentile(percent: float, samples: Sequence[Sample]) -> float:
    values = sorted(sample.total / sample.count for sample in samples if sample.count)
    rank = max(0, math.ceil(percent / 100 * len(values)) - 1)
    return values[min(rank, len(values) - 1)]
