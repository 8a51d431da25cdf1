"""The events that the functions receive, checked and named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from swarmkeeper.errors import InvalidInput
from swarmkeeper.ports import Event

LAUNCH_ACTION = "EC2 Instance-launch Lifecycle Action"
TERMINATE_ACTION = "EC2 Instance-terminate Lifecycle Action"
COMMAND_CHANGED = "EC2 Command Invocation Status-change Notification"
SCHEDULED = "Scheduled Event"
ENDED = frozenset({"Success", "Failed", "TimedOut", "Cancelled", "Undeliverable", "Terminated"})
"""Systems Manager's final states of an invocation."""

Model = TypeVar("Model", bound=BaseModel)
InstanceId = Annotated[str, StringConstraints(pattern=r"^i-[0-9a-f]{8,17}$")]


class _Detail(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class LifecycleDetail(_Detail):
    """Auto Scaling's lifecycle action."""

    instance_id: InstanceId = Field(alias="EC2InstanceId")
    group: str = Field(alias="AutoScalingGroupName")
    hook: str = Field(alias="LifecycleHookName")
    token: str = Field(alias="LifecycleActionToken")


class CommandDetail(_Detail):
    """Systems Manager's word on one invocation."""

    instance_id: InstanceId = Field(alias="instance-id")
    command_id: str = Field(alias="command-id")
    document: str = Field(alias="document-name")
    status: str

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def succeeded(self) -> bool:
        return self.status == "Success"


class OwnDetail(_Detail):
    """Ours; which keys stand depends on the detail type."""

    fleet: str
    node: InstanceId | None = None
    name: str | None = None
    pool: str | None = None


class BusEvent(BaseModel):
    """An EventBridge event."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: str
    source: str
    detail_type: str = Field(alias="detail-type")
    time: datetime
    detail: dict[str, Any] = {}

    def lifecycle(self) -> LifecycleDetail:
        return _checked(LifecycleDetail, self.detail, "detail")

    def command(self) -> CommandDetail:
        return _checked(CommandDetail, self.detail, "detail")

    def own(self, fleet: str) -> OwnDetail | None:
        """Our own event's detail; None for another fleet's."""
        detail = _checked(OwnDetail, self.detail, "detail")
        return detail if detail.fleet == fleet else None

    def is_own(self, *events: Event) -> bool:
        return self.detail_type in {event.value for event in events}


class AlarmDimension(_Detail):
    """A dimension of an alarm's metric."""

    name: str
    value: str


class AlarmTrigger(_Detail):
    """What an alarm watches; absent parts are left empty (metric maths has no single metric)."""

    namespace: str = Field(default="", alias="Namespace")
    metric: str = Field(default="", alias="MetricName")
    dimensions: tuple[AlarmDimension, ...] = Field(default=(), alias="Dimensions")


class Alarm(_Detail):
    """CloudWatch's message to the topic."""

    name: str = Field(alias="AlarmName")
    state: Literal["ALARM", "OK", "INSUFFICIENT_DATA"] = Field(alias="NewStateValue")
    changed_at: str = Field(default="", alias="StateChangeTime")
    trigger: AlarmTrigger = Field(default=AlarmTrigger(), alias="Trigger")

    def dimension(self, name: str) -> str | None:
        return next((each.value for each in self.trigger.dimensions if each.name == name), None)


class Notification(_Detail):
    """One record of what SNS hands to a function."""

    id: str = Field(alias="MessageId")
    message: str = Field(alias="Message")
    subject: str | None = Field(default=None, alias="Subject")

    def alarm(self) -> Alarm | None:
        """The alarm that it tells of; None for a message that is no alarm's (a test notification, say)."""
        try:
            return Alarm.model_validate_json(self.message)
        except ValidationError:
            return None


def bus_event(event: object) -> BusEvent:
    """An EventBridge event. Raises InvalidInput that names the field."""
    return _checked(BusEvent, event, "event")


def bus_event_in(text: str) -> BusEvent:
    """An EventBridge event from a queue's message. Raises InvalidInput that names the field."""
    try:
        return bus_event(json.loads(text))
    except json.JSONDecodeError as error:
        raise InvalidInput("body", "is not JSON") from error


def notifications(event: Mapping[str, Any]) -> tuple[Notification, ...]:
    """The SNS records of an event. Raises InvalidInput that names the field."""
    records = event.get("Records")
    if not isinstance(records, list):
        raise InvalidInput("Records", "is not a list")
    return tuple(
        _checked(Notification, record.get("Sns") if isinstance(record, dict) else None, f"Records.{position}.Sns")
        for position, record in enumerate(records)
    )


def _checked(model: type[Model], value: object, where: str) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join([where, *(str(part) for part in first["loc"])])
        raise InvalidInput(path, str(first["msg"])) from error
