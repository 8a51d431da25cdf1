"""Alarms and metric data as moto stores them, turned into rules and samples."""

from __future__ import annotations

from datetime import UTC, datetime

from moto.cloudwatch.models import Alarm, Dimension, MetricAggregatedDatum, MetricDatum, MetricDatumBase

from local.aws.alarm_rules import AlarmRule, Missing, Sample

MetricKey = tuple[str, str, frozenset[tuple[str, str]], str]
"""Namespace, name, all dimensions, and the unit (empty: any)."""


def rule_of(alarm: Alarm) -> AlarmRule:
    """What an alarm compares; PutMetricAlarm has checked it."""
    periods = int(alarm.evaluation_periods)
    return AlarmRule(
        period_s=int(alarm.period),
        evaluation_periods=periods,
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or periods),
        statistic=str(alarm.statistic or alarm.extended_statistic),
        operator=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        missing=Missing(alarm.treat_missing_data or "missing"),
    )


def metric_of(alarm: Alarm) -> MetricKey:
    """The metric that an alarm watches."""
    return (alarm.namespace, alarm.metric_name, _dimensions(alarm.dimensions), alarm.unit or "")


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
