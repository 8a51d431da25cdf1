"""Composite alarms: what their rules make of other alarms' states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from moto.cloudwatch.models import Alarm

from local.aws.alarm_messages import stamp
from local.aws.alarm_rules import AlarmState
from local.aws.composite_rules import CompositeRule, RuleError
from local.aws.events import utc


def composite_fault(rule: str, known: Mapping[str, Alarm]) -> str | None:
    """Why a rule is refused; None when it isn't."""
    try:
        children = CompositeRule.parse(rule).children
    except RuleError as error:
        return str(error)
    missing = [name for name in children if name not in known]
    if missing:
        return f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not exist"
    return None


def composite_change(
    composite: Alarm, alarms: Mapping[str, Alarm], cause: Alarm | None, now: float
) -> tuple[AlarmState, str, str] | None:
    """The state that the rule calls for, with its reason in words and as JSON; None when it is in it."""
    states = {name: AlarmState(alarm.state_value) for name, alarm in alarms.items()}
    wanted = AlarmState.ALARM if CompositeRule.parse(str(composite.rule)).holds(states) else AlarmState.OK
    if wanted is AlarmState(composite.state_value):
        return None
    if cause is None:
        return wanted, f"{composite.alarm_arn} was created and its alarm rule evaluates to {wanted}", "{}"
    reason = f"{cause.alarm_arn} transitioned to {cause.state_value} at {_spoken(utc(now))} UTC"
    state = {"value": str(cause.state_value), "timestamp": stamp(cause.state_updated_timestamp)}
    return wanted, reason, json.dumps({"triggeringAlarms": [{"arn": cause.alarm_arn, "state": state}]})


def _spoken(at: datetime) -> str:
    """`Sunday 01 March, 2026 12:01:07`."""
    return at.strftime("%A %d %B, %Y %H:%M:%S")
