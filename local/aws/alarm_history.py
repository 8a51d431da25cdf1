"""The history of alarms, as DescribeAlarmHistory shows it."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from moto.cloudwatch.models import Alarm

from local.aws.alarm_data import is_composite
from local.aws.alarm_messages import Change, stamp
from local.aws.events import utc

KEPT = 5000


@dataclass(frozen=True, slots=True)
class Entry:
    """One item; the field names are what moto's serialiser looks for."""

    alarm_name: str
    timestamp: datetime
    history_item_type: str
    history_summary: str
    history_data: str
    alarm_type: str


class History:
    """What happened to the alarms, oldest first; the oldest items are forgotten."""

    def __init__(self) -> None:
        self._items: deque[Entry] = deque(maxlen=KEPT)

    def configured(self, alarm: Alarm, is_new: bool, at: float) -> None:
        """An alarm was made or changed."""
        kind = "Create" if is_new else "Update"
        data = json.dumps({"version": "1.0", "type": kind})
        summary = f'Alarm "{alarm.name}" {"created" if is_new else "updated"}'
        self._add(alarm, at, "ConfigurationUpdate", summary, data)

    def state_changed(self, alarm: Alarm, change: Change) -> None:
        """An alarm changed state."""
        data = {
            "version": "1.0",
            "oldState": {"stateValue": str(change.old), "stateReason": change.old_reason},
            "newState": {
                "stateValue": str(change.new),
                "stateReason": change.reason,
                "stateReasonData": json.loads(change.reason_data or "{}"),
            },
        }
        self._add(alarm, change.at, "StateUpdate", f"Alarm updated from {change.old} to {change.new}", json.dumps(data))

    def acted(self, alarm: Alarm, arn: str, fault: str | None, at: float) -> None:
        """An action was run."""
        done = "Failed to execute" if fault else "Successfully executed"
        data = {"actionState": "Failed" if fault else "Succeeded", "notificationResource": arn, "error": fault}
        data["publishedMessage"] = None if fault else stamp(utc(at))
        self._add(alarm, at, "Action", f"{done} action {arn}", json.dumps(data))

    def items(self, name: str, kind: str, start: datetime | None, end: datetime | None) -> list[Entry]:
        """The items of an alarm (all without a name), of a kind, from start to end; newest first."""
        return [
            item
            for item in reversed(self._items)
            if (not name or item.alarm_name == name)
            and (not kind or item.history_item_type == kind)
            and (start is None or item.timestamp >= start)
            and (end is None or item.timestamp <= end)
        ]

    def _add(self, alarm: Alarm, at: float, kind: str, summary: str, data: str) -> None:
        alarm_type = "CompositeAlarm" if is_composite(alarm) else "MetricAlarm"
        self._items.append(Entry(alarm.name, utc(at), kind, summary, data, alarm_type))
