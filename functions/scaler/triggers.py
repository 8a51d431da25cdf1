"""What made the scaler run, and which pool it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swarmkeeper.domain.model import PoolName
from swarmkeeper.edge.events import SCHEDULED, BusEvent, Notification, bus_event, notifications
from swarmkeeper.errors import InvalidInput
from swarmkeeper.ports import Event


@dataclass(frozen=True, slots=True)
class Trigger:
    """`cause` is the id of the message or event; `ignored` says why nothing is decided, empty otherwise."""

    name: str
    cause: str
    pool: PoolName | None = None
    is_schedule: bool = False
    ignored: str = ""


def triggers_in(event: Mapping[str, Any], fleet: str) -> tuple[Trigger, ...]:
    """The triggers of an SNS or EventBridge event. Raises InvalidInput for anything else."""
    if "Records" in event:
        return tuple(_of_notification(each, fleet) for each in notifications(event))
    return (_of_bus_event(bus_event(event), fleet),)


def _of_notification(notification: Notification, fleet: str) -> Trigger:
    alarm = notification.alarm()
    if alarm is None:
        return Trigger("message", notification.id, ignored="it is not an alarm's message")
    trigger = Trigger(f"alarm {alarm.name}", notification.id)
    if alarm.dimension("Fleet") != fleet:
        return Trigger(trigger.name, trigger.cause, ignored="the alarm is not of this fleet")
    if alarm.state != "ALARM":
        return Trigger(trigger.name, trigger.cause, ignored=f"the alarm is {alarm.state}")
    pool = alarm.dimension("Pool")
    return Trigger(trigger.name, trigger.cause, pool=None if pool is None else PoolName(pool))


def _of_bus_event(event: BusEvent, fleet: str) -> Trigger:
    if event.detail_type == SCHEDULED:
        return Trigger("schedule", event.id, is_schedule=True)
    if not event.is_own(Event.LAUNCH_ABANDONED):
        raise InvalidInput("detail-type", f"{event.detail_type} is not for the scaler")
    detail = event.own(fleet)
    if detail is None:
        return Trigger(event.detail_type, event.id, ignored="another fleet's event")
    return Trigger(event.detail_type, event.id, pool=None if detail.pool is None else PoolName(detail.pool))
