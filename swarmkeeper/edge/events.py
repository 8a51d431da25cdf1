"""The events that the functions receive, checked and named."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from swarmkeeper.edge.alarms import AlarmChange, change_in_detail
from swarmkeeper.edge.checked import checked
from swarmkeeper.errors import InvalidInput
from swarmkeeper.ports import Event

LAUNCH_ACTION = "EC2 Instance-launch Lifecycle Action"
TERMINATE_ACTION = "EC2 Instance-terminate Lifecycle Action"
COMMAND_CHANGED = "EC2 Command Invocation Status-change Notification"
SPOT_INTERRUPTION = "EC2 Spot Instance Interruption Warning"
REBALANCE = "EC2 Instance Rebalance Recommendation"
SPOT_NOTICE_S = 120.0
"""EC2 warns so long before it interrupts."""
SCHEDULED = "Scheduled Event"
LAUNCH_FAILED = "EC2 Instance Launch Unsuccessful"
ALARM_CHANGED = "CloudWatch Alarm State Change"
ENDED = frozenset({"Success", "Failed", "TimedOut", "Cancelled", "Undeliverable", "Terminated"})
"""Systems Manager's final states of an invocation."""

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


class InstanceDetail(_Detail):
    """EC2's word on one instance."""

    instance_id: InstanceId = Field(alias="instance-id")


class LaunchFailureDetail(_Detail):
    """Auto Scaling's word on a launch that came to nothing; there may be no instance.

    The status is `Failed`, or `Cancelled` for one that was given up while it waited on its hook.
    """

    group: str = Field(alias="AutoScalingGroupName")
    status: str = Field(default="Failed", alias="StatusCode")
    message: str = Field(default="", alias="StatusMessage")
    instance_id: str | None = Field(default=None, alias="EC2InstanceId")


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
    resources: tuple[str, ...] = ()
    detail: dict[str, Any] = {}

    def lifecycle(self) -> LifecycleDetail:
        return checked(LifecycleDetail, self.detail, "detail")

    def command(self) -> CommandDetail:
        return checked(CommandDetail, self.detail, "detail")

    def instance(self) -> InstanceDetail:
        return checked(InstanceDetail, self.detail, "detail")

    def launch_failure(self) -> LaunchFailureDetail:
        return checked(LaunchFailureDetail, self.detail, "detail")

    def alarm(self) -> AlarmChange:
        return change_in_detail(self.detail, self.resources)

    def own(self, fleet: str) -> OwnDetail | None:
        """Our own event's detail; None for another fleet's."""
        detail = checked(OwnDetail, self.detail, "detail")
        return detail if detail.fleet == fleet else None

    def is_own(self, *events: Event) -> bool:
        return self.detail_type in {event.value for event in events}


class Notification(_Detail):
    """One record of what SNS hands to a function."""

    id: str = Field(alias="MessageId")
    message: str = Field(alias="Message")
    subject: str | None = Field(default=None, alias="Subject")


def bus_event(event: object) -> BusEvent:
    """An EventBridge event. Raises InvalidInput that names the field."""
    return checked(BusEvent, event, "event")


def bus_event_in(text: str) -> BusEvent:
    """An EventBridge event from a queue's message. Raises InvalidInput that names the field."""
    try:
        return bus_event(json.loads(text))
    except json.JSONDecodeError as error:
        raise InvalidInput("body", "is not JSON") from error


def notification(record: object) -> Notification:
    """One SNS record of an event. Raises InvalidInput that names the field."""
    return checked(Notification, record.get("Sns") if isinstance(record, dict) else None, "Sns")
