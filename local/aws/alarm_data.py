"""Alarms and metric data as moto stores them, turned into rules and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from moto.cloudwatch.models import (
    Alarm,
    Dimension,
    MetricAggregatedDatum,
    MetricDataQuery,
    MetricDatum,
    MetricDatumBase,
    MetricStat,
)

from local.aws.alarm_maths import Expression
from local.aws.alarm_rules import AlarmRule, Missing, Point, Sample, points_of

MetricKey = tuple[str, str, frozenset[tuple[str, str]], str]
"""Namespace, name, all dimensions, and the unit (empty: any)."""


def rule_of(alarm: Alarm) -> AlarmRule:
    """What an alarm compares; PutMetricAlarm has checked it."""
    periods = int(alarm.evaluation_periods)
    return AlarmRule(
        period_s=int(alarm.period or _stats(alarm)[0][1].period),
        evaluation_periods=periods,
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or periods),
        statistic=str(alarm.statistic or alarm.extended_statistic or ""),
        operator=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        missing=Missing(alarm.treat_missing_data or "missing"),
    )


def is_composite(alarm: Alarm) -> bool:
    return alarm.rule is not None


def is_maths(alarm: Alarm) -> bool:
    return bool(alarm.metric_data_queries)


def watched_by(alarm: Alarm) -> tuple[MetricKey, ...]:
    """The metrics that an alarm watches."""
    if is_maths(alarm):
        return tuple(_key(stat) for _, stat in _stats(alarm))
    return ((alarm.namespace, alarm.metric_name, _dimensions(alarm.dimensions), alarm.unit or ""),)


def datapoints(
    alarm: Alarm, rule: AlarmRule, data: Mapping[MetricKey, Sequence[Sample]], end: float
) -> tuple[Point, ...]:
    """The datapoints of the evaluation range that ends at `end`, oldest first, maths done."""
    if not is_maths(alarm):
        return points_of(rule, data[watched_by(alarm)[0]], end)
    series = {
        query.id: points_of(rule, data[_key(stat)], end, statistic=str(stat.stat)) for query, stat in _stats(alarm)
    }
    starts = [point.start for point in next(iter(series.values()))]
    by_period = [{name: points[at].value for name, points in series.items()} for at in range(len(starts))]
    expressions = [query for query in alarm.metric_data_queries if query.expression]
    for values in by_period:
        for query in expressions:  # each may read those before it, as AWS's console writes them
            values[query.id] = Expression.parse(str(query.expression)).at(
                {name: value for name, value in values.items() if name != query.id}
            )
    told = next(query for query in alarm.metric_data_queries if returns_data(query.return_data))
    return tuple(Point(start, values[told.id]) for start, values in zip(starts, by_period, strict=True))


def returns_data(flag: object) -> bool:
    """Whether a query's ReturnData is true, which it is unless it says otherwise."""
    return str(flag).lower() != "false"


def _stats(alarm: Alarm) -> list[tuple[MetricDataQuery, MetricStat]]:
    return [(query, query.metric_stat) for query in alarm.metric_data_queries if query.metric_stat]


def _key(stat: MetricStat) -> MetricKey:
    metric = stat.metric
    return (str(metric.namespace), str(metric.metric_name), _dimensions(metric.dimensions), str(stat.unit or ""))


def metrics_of(datum: MetricDatumBase) -> tuple[MetricKey, ...]:
    """The metrics that a datum belongs to: of its unit, and of any."""
    named = (datum.namespace, datum.name, _dimensions(datum.dimensions))
    return ((*named, ""), (*named, datum.unit)) if datum.unit else ((*named, ""),)


def sample_of(datum: MetricDatumBase) -> Sample:
    """A datum as a sample."""
    at = seconds(datum.timestamp)
    if isinstance(datum, MetricAggregatedDatum):
        return Sample(at, datum.sum, datum.sample_count, datum.min, datum.max)
    if isinstance(datum, MetricDatum):
        return Sample.of(at, datum.value)
    raise TypeError(f"a metric datum of an unknown kind: {type(datum).__name__}")


def seconds(at: datetime) -> float:
    """A time that is UTC unless it says otherwise, in seconds since 1970."""
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def _dimensions(dimensions: list[Dimension]) -> frozenset[tuple[str, str]]:
    return frozenset((str(dimension.name), str(dimension.value)) for dimension in dimensions)
