"""What made the scaler run, which pool it is about, and what is to be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.alarm_owner import NOBODY, AlarmOwner, owner_by_dimensions
from swarmkeeper.edge.alarms import AlarmChange, AlarmState, change_in_action, change_in_message, is_alarm_action
from swarmkeeper.edge.events import (
    ALARM_CHANGED,
    LAUNCH_FAILED,
    SCHEDULED,
    BusEvent,
    bus_event,
    bus_event_in,
    notification,
)
from swarmkeeper.errors import InvalidInput
from swarmkeeper.ports import Event

Content = AlarmChange | BusEvent | str
"""An alarm's change, an event of the bus, or why there is nothing to be made of it."""


class Todo(StrEnum):
    """What a trigger asks for."""

    DECIDE = "decide"
    RECHECK = "recheck"
    NOTE_LAUNCH_FAILURE = "note-launch-failure"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Heard:
    """One of the messages that an invocation brings; `cause` is its id, `receipt` what a queue knows it by."""

    cause: str
    content: Content
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """`reason` says why nothing is done, or what the launch failed of; `instance_id` is the launch's, if it had one.

    `at` is when the launch failed.
    """

    name: str
    todo: Todo
    pool: PoolName | None = None
    reason: str = ""
    instance_id: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class TriggerRules:
    """Whose messages are this fleet's: `owner_of` reads an alarm's tags, `pool_of` names a group's pool."""

    fleet: str
    owner_of: Callable[[str], AlarmOwner]
    pool_of: Mapping[str, PoolName]

    def trigger(self, heard: Heard) -> Trigger:
        """What to do about it; what is foreign or malformed asks for nothing. Raises Unavailable."""
        match heard.content:
            case AlarmChange() as change:
                return self._of_alarm(change)
            case BusEvent() as event:
                return self._of_event(event)
            case why:
                return Trigger("message", Todo.NOTHING, reason=why)

    def _of_alarm(self, change: AlarmChange) -> Trigger:
        """Any state but ALARM asks for nothing: how far a pool may shrink is asked by alarms of its own."""
        name = f"alarm {change.name}"
        if change.state is not AlarmState.ALARM:
            return Trigger(name, Todo.NOTHING, reason=f"the alarm is {change.state}")
        owner = owner_by_dimensions(change.dimensions, self.fleet) or self._tagged(change.arn)
        if owner.fleet != self.fleet:
            return Trigger(name, Todo.NOTHING, reason="neither its dimensions nor its tags name this fleet")
        return self._asks(name, owner.pool)

    def _asks(self, name: str, pool: PoolName | None) -> Trigger:
        if pool is not None and pool not in self.pool_of.values():
            return Trigger(name, Todo.NOTHING, pool, f"{pool} is no pool of workers of this fleet")
        return Trigger(name, Todo.DECIDE, pool)

    def _tagged(self, arn: str) -> AlarmOwner:
        return self.owner_of(arn) if arn else NOBODY

    def _of_event(self, event: BusEvent) -> Trigger:
        try:
            return self._of_known(event)
        except InvalidInput as error:
            return Trigger(event.detail_type, Todo.NOTHING, reason=f"malformed: {error}")

    def _of_known(self, event: BusEvent) -> Trigger:
        if event.detail_type == SCHEDULED:
            return Trigger("schedule", Todo.RECHECK)
        if event.detail_type == ALARM_CHANGED:
            return self._of_alarm(event.alarm())
        if event.detail_type == LAUNCH_FAILED:
            return self._of_launch_failure(event)
        if event.is_own(Event.LAUNCH_ABANDONED, Event.CAPACITY_NEEDED):
            return self._of_own(event)
        return Trigger(event.detail_type, Todo.NOTHING, reason="it is not for the scaler")

    def _of_own(self, event: BusEvent) -> Trigger:
        detail = event.own(self.fleet)
        if detail is None:
            return Trigger(event.detail_type, Todo.NOTHING, reason="another fleet's event")
        return self._asks(event.detail_type, None if detail.pool is None else PoolName(detail.pool))

    def _of_launch_failure(self, event: BusEvent) -> Trigger:
        """A cancelled launch had its instance: the registrar gave it up, and counts it."""
        detail = event.launch_failure()
        pool = self.pool_of.get(detail.group)
        if pool is None:
            return Trigger(LAUNCH_FAILED, Todo.NOTHING, reason=f"{detail.group} is no group of this fleet's workers")
        if detail.status != "Failed":
            return Trigger(LAUNCH_FAILED, Todo.NOTHING, pool, f"the launch was {detail.status}: {detail.message}")
        at = event.time.timestamp()
        return Trigger(LAUNCH_FAILED, Todo.NOTE_LAUNCH_FAILURE, pool, detail.message, detail.instance_id or "", at)


def messages_in(event: Mapping[str, Any]) -> tuple[Heard, ...]:
    """What an invocation brings: a topic's or queue's records, an alarm's own call, or an event of the bus.

    One that is malformed stands among the others with the reason.
    """
    if "Records" in event:
        records = event["Records"]
        if not isinstance(records, list):
            return (Heard("", "malformed: Records is not a list"),)
        return tuple(_in_record(record) for record in records)
    try:
        if is_alarm_action(event):
            change = change_in_action(event)
            return (Heard(f"{change.arn} {change.at}", change),)
        happened = bus_event(event)
        return (Heard(happened.id, happened),)
    except InvalidInput as error:
        return (Heard("", f"malformed: {error}"),)


def is_batch(event: Mapping[str, Any]) -> bool:
    """Whether a queue brings it, which wants to know which messages are to come again."""
    records = event.get("Records")
    return isinstance(records, list) and any(_is_queued(record) for record in records)


def _is_queued(record: object) -> bool:
    return isinstance(record, dict) and record.get("eventSource") == "aws:sqs"


def _in_record(record: Any) -> Heard:
    if _is_queued(record):
        return _in_queue(str(record.get("messageId")), record.get("body"))
    try:
        message = notification(record)
    except InvalidInput as error:
        return Heard("", f"malformed: {error}")
    return Heard(message.id, change_in_message(message.message) or "it is not an alarm's message")


def _in_queue(receipt: str, body: object) -> Heard:
    """An event of the bus that has waited in the queue."""
    try:
        event = bus_event_in(str(body))
    except InvalidInput as error:
        return Heard("", f"malformed: {error}", receipt)
    return Heard(event.id, event, receipt)
