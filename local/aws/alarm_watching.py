"""What an alarm watches, as CloudWatch's notifications and events tell it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from moto.cloudwatch.models import Alarm, Dimension, Metric, MetricDataQuery

from local.aws.alarm_data import is_composite, is_maths, returns_data


def metrics_of(alarm: Alarm) -> list[Mapping[str, object]]:
    """What a metric alarm watches, as events tell it."""
    if is_maths(alarm):
        return [_query(query) for query in alarm.metric_data_queries]
    stat = _stat(alarm, alarm.dimensions, int(alarm.period), alarm.statistic or str(alarm.extended_statistic))
    return [{"id": str(uuid.uuid5(uuid.NAMESPACE_URL, alarm.alarm_arn)), "metricStat": stat, "returnData": True}]


def _query(query: MetricDataQuery) -> Mapping[str, object]:
    told: dict[str, object] = {"id": query.id, "returnData": returns_data(query.return_data)}
    if query.label:
        told["label"] = query.label
    if query.expression:
        return told | {"expression": query.expression}
    stat = query.metric_stat
    assert stat is not None  # noqa: S101  # PutMetricAlarm has checked it
    return told | {"metricStat": _stat(stat.metric, stat.metric.dimensions, int(stat.period), str(stat.stat))}


def _stat(metric: Alarm | Metric, dimensions: list[Dimension], period: int, stat: str) -> Mapping[str, object]:
    named = {str(dimension.name): dimension.value for dimension in dimensions}
    return {
        "metric": {"namespace": metric.namespace, "name": metric.metric_name, "dimensions": named},
        "period": period,
        "stat": stat,
    }


def watching(alarm: Alarm, reason_data: str) -> Mapping[str, object]:
    """What a notification tells of the alarm's own kind."""
    if not is_composite(alarm):
        return {"Trigger": _maths_trigger(alarm) if is_maths(alarm) else _trigger(alarm)}
    triggering = json.loads(reason_data or "{}").get("triggeringAlarms", [])
    children = [
        {"Arn": each["arn"], "State": {"Value": each["state"]["value"], "Timestamp": each["state"]["timestamp"]}}
        for each in triggering
    ]
    return {"AlarmRule": alarm.rule, "TriggeringChildren": children}


def _maths_trigger(alarm: Alarm) -> Mapping[str, object]:
    return {
        "Period": next(int(query.metric_stat.period) for query in alarm.metric_data_queries if query.metric_stat),
        **_comparison(alarm),
        "Metrics": [_sns_query(query) for query in alarm.metric_data_queries],
    }


def _sns_query(query: MetricDataQuery) -> Mapping[str, object]:
    told: dict[str, object] = {"Id": query.id, "ReturnData": returns_data(query.return_data)}
    if query.label:
        told["Label"] = query.label
    if query.metric_stat is None:
        return {"Expression": query.expression, **told}
    metric, stat = query.metric_stat.metric, query.metric_stat
    named = [{"value": each.value, "name": each.name} for each in metric.dimensions]
    about = {"Dimensions": named, "MetricName": metric.metric_name, "Namespace": metric.namespace}
    return {**told, "MetricStat": {"Metric": about, "Period": int(stat.period), "Stat": stat.stat}}


def _comparison(alarm: Alarm) -> Mapping[str, object]:
    return {
        "EvaluationPeriods": int(alarm.evaluation_periods),
        "DatapointsToAlarm": int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": float(alarm.threshold),
        "TreatMissingData": alarm.treat_missing_data or "missing",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }


def _trigger(alarm: Alarm) -> Mapping[str, object]:
    kind = (
        {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": alarm.extended_statistic}
        if alarm.extended_statistic
        else {"StatisticType": "Statistic", "Statistic": _shouted(alarm.statistic)}
    )
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        **kind,
        "Unit": alarm.unit,
        "Dimensions": [{"value": dimension.value, "name": dimension.name} for dimension in alarm.dimensions],
        "Period": int(alarm.period),
        **_comparison(alarm),
    }


def _shouted(statistic: str) -> str:
    return "SAMPLE_COUNT" if statistic == "SampleCount" else statistic.upper()
