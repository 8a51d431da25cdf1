"""CloudWatch's actions on alarms and metric data, checked as AWS checks them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from moto.cloudwatch.exceptions import InvalidFormat, ResourceNotFound, ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local.aws.alarm_data import is_composite
from local.aws.alarm_queries import maths_fault, maths_period
from local.aws.alarm_rules import HIGH_RESOLUTION_S, OPERATORS, STATISTICS, AlarmState, Missing
from local.aws.alarms import Alarms
from local.aws.composites import composite_fault
from local.aws.events import utc
from local.aws.patching import Patches, Request, as_action

DAY_S = 86_400
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
UNCHECKED = "Unchecked: Initial alarm creation"
PutData = Callable[[CloudWatchBackend, str, list[dict[str, Any]]], None]


@dataclass(frozen=True, slots=True)
class AlarmsApi:
    """The actions; some of them moto lacks."""

    alarms: Alarms

    def install(self, patches: Patches) -> None:
        """Serve the actions from moto's response class, and keep data at their resolution."""
        put_alarm = CloudWatchResponse.put_metric_alarm
        handlers: dict[str, Callable[[Request], object]] = {
            "put_metric_alarm": lambda request: self.put_alarm(request, put_alarm),
            "put_composite_alarm": lambda request: self.put_composite(request, put_alarm),
            "set_alarm_state": self.set_state,
            "describe_alarms": self.describe,
            "describe_alarm_history": self.describe_history,
        }
        for name, handler in handlers.items():
            patches.replace(CloudWatchResponse, name, as_action(handler))
        put_data = _at_their_resolution(CloudWatchBackend.put_metric_data, self.alarms.clock)
        patches.replace(CloudWatchBackend, "put_metric_data", put_data)

    def put_alarm(self, request: Request, original: Callable[[CloudWatchResponse], ActionResult]) -> None:
        """PutMetricAlarm: a new alarm has insufficient data, a changed one keeps its state."""
        fault = alarm_fault(_definition(request))
        if fault:
            raise ValidationError(fault)
        self._store(request, original)

    def put_composite(self, request: Request, original: Callable[[CloudWatchResponse], ActionResult]) -> None:
        """PutCompositeAlarm: evaluated at once, and whenever an alarm of its rule changes."""
        if request.text("ActionsSuppressor"):
            raise ValidationError("ActionsSuppressor is not emulated")
        fault = composite_fault(request.text("AlarmRule"), self.alarms.backend.alarms)
        fault = fault or actions_fault({name: request.raw(name) for name in ACTIONS})
        if fault:
            raise ValidationError(fault)
        self._store(request, original)
        alarm = self.alarms.backend.alarms[request.text("AlarmName")]
        self.alarms.settle(alarm, None, self.alarms.clock())

    def _store(self, request: Request, original: Callable[[CloudWatchResponse], ActionResult]) -> None:
        name, now = request.text("AlarmName"), self.alarms.clock()
        with self.alarms.lock:
            old = self.alarms.backend.alarms.get(name)
            original(cast(CloudWatchResponse, request.response))
            alarm = self.alarms.backend.alarms[name]
            alarm.configuration_updated_timestamp = utc(now)
            if old is None:
                alarm.state_value, alarm.state_reason = str(AlarmState.INSUFFICIENT_DATA), UNCHECKED
                alarm.state_reason_data, alarm.state_updated_timestamp = "", utc(now)
            else:
                alarm.state_value, alarm.state_reason = old.state_value, old.state_reason
                alarm.state_reason_data = old.state_reason_data
                alarm.state_updated_timestamp = old.state_updated_timestamp
            self.alarms.history.configured(alarm, old is None, now)

    def set_state(self, request: Request) -> None:
        """SetAlarmState: with actions, until the next evaluation says otherwise."""
        alarm = self.alarms.backend.alarms.get(request.text("AlarmName"))
        state, data = request.text("StateValue"), request.text("StateReasonData")
        if alarm is None:
            raise ResourceNotFound("The alarm does not exist")
        if state not in set(AlarmState):
            raise ValidationError(f"Value '{state}' at 'stateValue' is not one of [INSUFFICIENT_DATA, ALARM, OK]")
        try:
            json.loads(data or "{}")
        except ValueError as not_json:
            raise InvalidFormat("StateReasonData is not JSON") from not_json
        self.alarms.set_state(alarm, AlarmState(state), request.text("StateReason"), data, self.alarms.clock())

    def describe(self, request: Request) -> object:
        """DescribeAlarms: all filters that are given together; composite alarms only when they are asked for."""
        names, prefix = request.texts("AlarmNames"), request.text("AlarmNamePrefix")
        state, action = request.text("StateValue"), request.text("ActionPrefix")
        chosen = [
            alarm
            for alarm in self.alarms.backend.alarms.values()
            if (not names or alarm.name in names)
            and alarm.name.startswith(prefix)
            and (not state or alarm.state_value == state)
            and (not action or any(arn.startswith(action) for arn in alarm.alarm_actions))
        ]
        kinds = request.texts("AlarmTypes") or ["MetricAlarm"]
        chosen.sort(key=lambda alarm: alarm.name)
        return {
            "MetricAlarms": [one for one in chosen if not is_composite(one) and "MetricAlarm" in kinds],
            "CompositeAlarms": [one for one in chosen if is_composite(one) and "CompositeAlarm" in kinds],
        }

    def describe_history(self, request: Request) -> object:
        """DescribeAlarmHistory: newest first unless asked otherwise, 100 a page."""
        start, end = _naive(request.raw("StartDate")), _naive(request.raw("EndDate"))
        items = self.alarms.history.items(request.text("AlarmName"), request.text("HistoryItemType"), start, end)
        if request.text("ScanBy") == "TimestampAscending":
            items.reverse()
        first = int(request.text("NextToken") or 0)
        last = first + (request.number("MaxRecords") or 100)
        return {"AlarmHistoryItems": items[first:last], "NextToken": str(last) if last < len(items) else None}


def alarm_fault(wanted: Mapping[str, Any]) -> str | None:
    """Why an alarm's definition is refused, by AWS or because it isn't emulated; None when it isn't."""
    if wanted.get("ThresholdMetricId"):
        return "anomaly detection is not emulated: give a Threshold"
    if wanted.get("Metrics"):
        return maths_fault(wanted) or _periods_fault(wanted) or _comparison_fault(wanted)
    if not (wanted.get("MetricName") and wanted.get("Namespace")):
        return "MetricName and Namespace are required"
    return _statistic_fault(wanted) or _periods_fault(wanted) or _comparison_fault(wanted)


def _statistic_fault(wanted: Mapping[str, Any]) -> str | None:
    statistic, extended = wanted.get("Statistic"), wanted.get("ExtendedStatistic")
    if bool(statistic) == bool(extended):
        return "Exactly one of Statistic and ExtendedStatistic must be given"
    if statistic and statistic not in STATISTICS:
        return f"Statistic {statistic} is not one of {', '.join(STATISTICS)}"
    if extended and not (re.fullmatch(r"p\d{1,3}(\.\d{1,10})?", extended) and float(extended[1:]) <= 100):
        return f"ExtendedStatistic {extended} is not emulated: use a percentile such as p99"
    return None


def _periods_fault(wanted: Mapping[str, Any]) -> str | None:
    period = int(wanted.get("Period") or maths_period(wanted.get("Metrics") or []))
    periods = int(wanted.get("EvaluationPeriods") or 0)
    needed = int(wanted.get("DatapointsToAlarm") or periods)
    if period not in HIGH_RESOLUTION_S and (period < 60 or period % 60):
        return "Period must be 10, 20, 30 or a multiple of 60"
    if periods < 1 or not 1 <= needed <= periods:
        return "DatapointsToAlarm must be from 1 to EvaluationPeriods"
    limit = DAY_S if period < 3600 else 7 * DAY_S
    if period * periods > limit:
        return f"Metrics cannot be checked across more than {limit} seconds (EvaluationPeriods * Period)"
    return None


def _comparison_fault(wanted: Mapping[str, Any]) -> str | None:
    if wanted.get("ComparisonOperator") not in OPERATORS:
        return f"ComparisonOperator {wanted.get('ComparisonOperator')} is not emulated"
    if wanted.get("Threshold") is None:
        return "Threshold is required"
    treatment = wanted.get("TreatMissingData")
    if treatment is not None and treatment not in set(Missing):
        return (
            f"Option {treatment} is not supported. Supported options for parameter TreatMissingData are "
            + ", ".join(Missing)
        )
    return actions_fault(wanted)


def actions_fault(wanted: Mapping[str, Any]) -> str | None:
    """Why an alarm's actions are refused; None when they aren't."""
    if any(len(wanted.get(kind) or []) > 5 for kind in ACTIONS):
        return "at most 5 actions for a state"
    given = [str(arn) for kind in ACTIONS for arn in wanted.get(kind) or []]
    bad = [arn for arn in given if not re.match(r"arn:aws[a-z-]*:(sns|autoscaling|lambda):", arn)]
    return f"actions of these kinds are not emulated: {', '.join(bad)}" if bad else None


def _definition(request: Request) -> dict[str, Any]:
    names = (
        "Metrics",
        "ThresholdMetricId",
        "MetricName",
        "Namespace",
        "Statistic",
        "ExtendedStatistic",
        "Period",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "ComparisonOperator",
        "Threshold",
        "TreatMissingData",
        *ACTIONS,
    )
    return {name: request.raw(name) for name in names}


def _at_their_resolution(original: PutData, clock: Callable[[], float]) -> PutData:
    def put_metric_data(backend: CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        """Standard-resolution data (the default) are kept by the minute, whatever their time."""
        original(backend, namespace, [_floored(datum, utc(clock())) for datum in metric_data])

    return put_metric_data


def _floored(datum: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    at = (_naive(datum.get("Timestamp")) or now).replace(microsecond=0)
    standard = int(datum.get("StorageResolution") or 60) != 1
    return {**datum, "Timestamp": at.replace(second=0) if standard else at}


def _naive(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC).replace(tzinfo=None) if at is not None and at.tzinfo else at
