"""What CloudWatch says when an alarm changes: the reason, the SNS message, the event and the history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from botocore.loaders import Loader
from moto.cloudwatch.models import Alarm

from local.aws.alarm_data import is_composite
from local.aws.alarm_rules import OPERATORS, AlarmRule, AlarmState, Verdict
from local.aws.alarm_watching import metrics_of, watching
from local.aws.events import Event, utc

MAX_SUBJECT = 100


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm's change of state."""

    old: AlarmState
    old_reason: str
    old_reason_data: str
    old_since: datetime
    new: AlarmState
    reason: str
    reason_data: str
    at: float


def reason_of(rule: AlarmRule, verdict: Verdict, old: AlarmState) -> str:
    """The reason in words, such as `Threshold Crossed: 1 out of the last 1 datapoints [5.0 (...)] was greater ...`."""
    if verdict.state is AlarmState.INSUFFICIENT_DATA:
        missing = rule.evaluation_periods
        return f"Insufficient Data: {missing} {_datapoints(missing)} {_were(missing)} unknown."
    breaching = [p for p in verdict.considered if p.value is not None and rule.breaches(p.value)]
    alarming = verdict.state is AlarmState.ALARM
    told = breaching if alarming else list(verdict.considered)
    listed = ", ".join(f"{p.value} ({utc(p.start).strftime('%d/%m/%y %H:%M:%S')})" for p in told)
    words = OPERATORS[rule.operator][1]
    if not told:
        kind = "Breaching" if alarming else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {rule.evaluation_periods}"
            f" {_periods(rule.evaluation_periods)} and {rule.evaluation_periods} missing"
            f" {_datapoints(rule.evaluation_periods)} {_were(rule.evaluation_periods)} treated as [{kind}]."
        )
    if not alarming:
        return (
            f"Threshold Crossed: {len(told)} {_datapoints(len(told))} [{listed}] {_were(len(told))} not {words} the"
            f" threshold ({rule.threshold})."
        )
    needed = rule.datapoints_to_alarm
    return (
        f"Threshold Crossed: {len(told)} out of the last {rule.evaluation_periods} datapoints [{listed}]"
        f" {_were(len(told))} {words} the threshold ({rule.threshold})"
        f" (minimum {needed} {_datapoints(needed)} for {old} -> ALARM transition)."
    )


def reason_data_of(rule: AlarmRule, verdict: Verdict, at: float) -> str:
    """The reason as JSON, for DescribeAlarms and the event."""
    known = [point for point in verdict.considered if point.value is not None]
    data: dict[str, object] = {
        "version": "1.0",
        "queryDate": stamp(utc(at)),
        **({"statistic": rule.statistic} if rule.statistic else {}),
        "period": rule.period_s,
        "recentDatapoints": [point.value for point in reversed(known)],
        "threshold": rule.threshold,
        "evaluatedDatapoints": [{"timestamp": stamp(utc(p.start)), "value": p.value} for p in known],
    }
    if known:
        data["startDate"] = stamp(utc(known[-1].start))
    return json.dumps(data)


def subject_of(alarm: Alarm, new: AlarmState) -> str:
    """The notification's subject, such as `ALARM: "demo-pending" in EU (Frankfurt)`."""
    return f'{new}: "{alarm.name}" in {region_label(alarm.region_name)}'[:MAX_SUBJECT]


def message_of(alarm: Alarm, account: str, change: Change) -> str:
    """The notification's JSON text."""
    return json.dumps(
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": account,
            "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configuration_updated_timestamp),
            "NewStateValue": str(change.new),
            "NewStateReason": change.reason,
            "StateChangeTime": stamp(utc(change.at)),
            "Region": region_label(alarm.region_name),
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": str(change.old),
            "OKActions": alarm.ok_actions,
            "AlarmActions": alarm.alarm_actions,
            "InsufficientDataActions": alarm.insufficient_data_actions,
            **watching(alarm, change.reason_data),
        }
    )


def action_of(alarm: Alarm, account: str, change: Change) -> str:
    """What a function that is an alarm's action is called with, as JSON text."""
    return json.dumps(
        {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.alarm_arn,
            "accountId": account,
            "time": stamp(utc(change.at)),
            "region": alarm.region_name,
            "alarmData": event_of(alarm, change).detail,
        }
    )


def event_of(alarm: Alarm, change: Change) -> Event:
    """The event on the bus."""
    configuration: dict[str, object] = (
        {"alarmRule": alarm.rule} if is_composite(alarm) else {"metrics": metrics_of(alarm)}
    )
    if alarm.description:
        configuration["description"] = alarm.description
    detail: dict[str, object] = {
        "alarmName": alarm.name,
        "configuration": configuration,
        "previousState": _state(change.old, change.old_reason, change.old_reason_data, change.old_since),
        "state": _state(change.new, change.reason, change.reason_data, utc(change.at)),
    }
    return Event("aws.cloudwatch", "CloudWatch Alarm State Change", detail, (alarm.alarm_arn,))


@cache
def region_label(region: str) -> str:
    """A region's name for people, such as `EU (Frankfurt)`; its code where it has none."""
    partitions = Loader().load_data("endpoints")["partitions"]
    labels = {code: str(about["description"]) for part in partitions for code, about in part["regions"].items()}
    label = labels.get(region, region)
    return label.replace("Europe (", "EU (", 1)


def stamp(at: datetime) -> str:
    """A time as CloudWatch writes it: `2025-01-31T12:00:00.000+0000`."""
    return at.isoformat(timespec="milliseconds") + "+0000"


def _state(value: AlarmState, reason: str, data: str, since: datetime) -> Mapping[str, object]:
    state = {"value": str(value), "reason": reason, "timestamp": stamp(since)}
    return {**state, "reasonData": data} if data and data != "{}" else state


def _datapoints(count: int) -> str:
    return "datapoint" if count == 1 else "datapoints"


def _periods(count: int) -> str:
    return "period" if count == 1 else "periods"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
