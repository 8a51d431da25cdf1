"""Scaling activities: what a group did to an instance, how it went, and why."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from local.aws.events import utc

KEPT = 1000
"""How many finished activities are remembered; AWS keeps six weeks of them."""


@dataclass(frozen=True, slots=True)
class Activity:
    """One scaling activity; the field names are what moto's serialiser looks for."""

    activity_id: str
    auto_scaling_group_name: str
    auto_scaling_group_arn: str
    description: str
    cause: str
    start_time: datetime
    status_code: str
    progress: int
    details: str
    end_time: datetime | None = None
    status_message: str | None = None


class ActivityLog:
    """The activities of all groups, in the order in which they began."""

    def __init__(self) -> None:
        self._by_id: dict[str, Activity] = {}

    def begin(self, group: tuple[str, str], description: str, cause: str, now: float, **details: str) -> str:
        """Open an activity of the group (name, ARN) and return its id; `details` are its place."""
        activity_id = str(uuid.uuid4())
        named = {key.replace("_", " "): value for key, value in details.items() if value}
        self._by_id[activity_id] = Activity(
            activity_id, *group, description, cause, utc(now), "InProgress", 0, json.dumps(named)
        )
        self._forget_old()
        return activity_id

    def advance(self, activity_id: str, status: str, progress: int) -> None:
        """Note how far an activity has got."""
        self._by_id[activity_id] = replace(self._by_id[activity_id], status_code=status, progress=progress)

    def finish(self, activity_id: str, status: str, now: float, message: str = "") -> Activity:
        """Close an activity as Successful, Failed or Cancelled; a message is repeated in its description."""
        activity = self._by_id[activity_id]
        described = f"{activity.description}.  Status Reason: {message}" if message else activity.description
        done = replace(
            activity,
            status_code=status,
            progress=100,
            end_time=utc(now),
            status_message=message or None,
            description=described,
        )
        self._by_id[activity_id] = done
        return done

    def get(self, activity_id: str) -> Activity:
        """One activity. Raises KeyError."""
        return self._by_id[activity_id]

    def of(self, group: str = "", ids: tuple[str, ...] = ()) -> list[Activity]:
        """Activities of a group (all groups without one), newest first."""
        chosen = (
            activity
            for activity in self._by_id.values()
            if (not group or activity.auto_scaling_group_name == group) and (not ids or activity.activity_id in ids)
        )
        return list(reversed(list(chosen)))

    def _forget_old(self) -> None:
        surplus = len(self._by_id) - KEPT
        ended = [key for key, activity in self._by_id.items() if activity.end_time is not None]
        for key in ended[: max(0, surplus)]:
            del self._by_id[key]
