"""What the Auto Scaling emulation knows: groups (moto's), their members, open actions, activities, outgoing events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.ec2.models.instances import Instance as Ec2Instance
from moto.ec2.models.launch_templates import LaunchTemplateVersion

from local.aws.activities import Activity, ActivityLog
from local.aws.events import Event, seconds_iso
from local.aws.group_rules import Candidate, Place
from local.aws.instances import Ec2Machines
from local.aws.lifecycle import Actions, Hook, Result, Transition

COUNTED = frozenset({"Pending", "Pending:Wait", "Pending:Proceed", "InService"})
"""States that fill desired capacity."""

PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)


@dataclass(frozen=True, slots=True)
class Timing:
    """The delays of Auto Scaling."""

    health_check_s: float = 15.0
    """How often instances are looked at; AWS takes a minute or more."""
    back_off_s: float = 15.0
    """The wait after a failed launch; it doubles with each further one."""
    longest_back_off_s: float = 300.0


@dataclass(slots=True)
class Member:
    """An instance of a group. `shown` is what DescribeAutoScalingGroups shows, and holds its state."""

    shown: InstanceState
    instance: Ec2Instance
    group: str
    place: Place
    template_version: int
    launched: float
    activity: str
    """The open activity's id, or the last one's."""

    @property
    def id(self) -> str:
        """The instance id."""
        return self.instance.id

    @property
    def state(self) -> str:
        """The lifecycle state."""
        return self.shown.lifecycle_state

    @state.setter
    def state(self, value: str) -> None:
        self.shown.lifecycle_state = value

    def candidate(self) -> Candidate:
        """The member as the choice of victims sees it."""
        protected = bool(self.shown.protected_from_scale_in)
        return Candidate(self.id, self.place, protected, self.template_version, self.launched)


@dataclass(slots=True)
class GroupNotes:
    """What is remembered of a group beside moto's object."""

    cause: str
    """Why desired capacity is what it is, as activities tell it."""
    failures: int = 0
    retry_at: float = 0.0
    cooldown_until: float = 0.0
    rebalancing: bool = False
    refresh_version: LaunchTemplateVersion | None = None
    """What new instances use while a refresh to another version runs."""
    surplus: int = 0
    """How many instances more than desired a refresh wants now."""


@dataclass(frozen=True, slots=True)
class GroupSize:
    """How large a group is and is to be; `instances` are lifecycle states by id."""

    name: str
    desired: int
    least: int
    most: int
    instances: Mapping[str, str]


def size_of(group: FakeAutoScalingGroup) -> GroupSize:
    """As DescribeAutoScalingGroups tells it."""
    instances = {shown.instance_id: shown.lifecycle_state for shown in group.instance_states}
    return GroupSize(
        group.name, int(group.desired_capacity or 0), int(group.min_size or 0), int(group.max_size or 0), instances
    )


@dataclass(slots=True)
class State:
    """Everything of one region's groups; guarded by the lock of whoever owns it."""

    backend: AutoScalingBackend
    ec2: Ec2Machines
    timing: Timing
    clock: Callable[[], float] = time.time
    members: dict[str, Member] = field(default_factory=dict)
    notes: dict[str, GroupNotes] = field(default_factory=dict)
    actions: Actions = field(default_factory=Actions)
    activities: ActivityLog = field(default_factory=ActivityLog)
    outbox: deque[Event] = field(default_factory=deque)
    changed: bool = False
    """Whether something moved since it was last reset: another pass may move more."""

    def group(self, name: str) -> FakeAutoScalingGroup:
        """A group by name. Raises ValidationError as AWS does."""
        found = self.backend.autoscaling_groups.get(name)
        if found is None:
            raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
        return found

    def groups(self) -> tuple[FakeAutoScalingGroup, ...]:
        """All groups."""
        return tuple(self.backend.autoscaling_groups.values())

    def of(self, group: str) -> Iterator[Member]:
        """The members of a group, in the order in which they were launched."""
        return (member for member in tuple(self.members.values()) if member.group == group)

    def counted(self, group: str) -> list[Member]:
        """The members that fill desired capacity."""
        return [member for member in self.of(group) if member.state in COUNTED]

    def member(self, instance_id: str) -> Member:
        """The member with this instance id. Raises ValidationError as AWS does."""
        found = self.members.get(instance_id)
        if found is None:
            raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
        return found

    def hooks(self, group: str, transition: Transition) -> list[Hook]:
        """A group's hooks for a transition."""
        return [
            Hook(
                name=hook.name,
                group=group,
                transition=transition,
                heartbeat_s=float(hook.heartbeat_timeout),
                default_result=Result(hook.default_result),
                metadata=getattr(hook, "notification_metadata", None),
            )
            for hook in self.backend.describe_lifecycle_hooks(group)
            if hook.lifecycle_transition == transition
        ]

    def suspended(self, group: FakeAutoScalingGroup, process: str) -> bool:
        """Whether a process of the group is suspended."""
        return process in group._suspended_processes

    def set_desired(self, group: FakeAutoScalingGroup, desired: int, because: str) -> None:
        """Store a new desired capacity, and why."""
        before = group.desired_capacity
        group.desired_capacity = desired
        if before != desired:
            at = seconds_iso(self.clock())
            self.notes[
                group.name
            ].cause = f"At {at} {because} changing the desired capacity from {before} to {desired}."
        self.changed = True

    def move(self, member: Member, state: str) -> None:
        """Change a member's lifecycle state."""
        member.state = state
        self.changed = True

    def forget(self, member: Member) -> None:
        """Drop a member that has ended."""
        group = self.backend.autoscaling_groups.get(member.group)
        if group is not None:
            group.instance_states = [shown for shown in group.instance_states if shown.instance_id != member.id]
        self.actions.end_all(member.id)
        self.members.pop(member.id, None)
        self.changed = True

    def announce(self, member: Member, detail_type: str, activity: Activity, launching: bool) -> None:
        """Put one of the group's own events into the outbox."""
        group_arn = activity.auto_scaling_group_arn
        region, account = self.backend.region_name, self.backend.account_id
        details = {"Availability Zone": member.place.zone, "Subnet ID": member.place.subnet_id}
        detail: dict[str, object] = {
            "StatusCode": "InProgress" if activity.status_code == "Successful" else activity.status_code,
            "Description": activity.description,
            "AutoScalingGroupName": member.group,
            "ActivityId": activity.activity_id,
            "Details": details,
            "RequestId": activity.activity_id,
            "StatusMessage": activity.status_message or "",
            "StartTime": f"{activity.start_time.isoformat(timespec='milliseconds')}Z",
            "EndTime": f"{(activity.end_time or activity.start_time).isoformat(timespec='milliseconds')}Z",
            "EC2InstanceId": member.id,
            "Cause": activity.cause,
            "Origin": "EC2" if launching else "AutoScalingGroup",
            "Destination": "AutoScalingGroup" if launching else "EC2",
        }
        resources = (group_arn, f"arn:aws:ec2:{region}:{account}:instance/{member.id}")
        self.outbox.append(Event("aws.autoscaling", detail_type, detail, resources))
