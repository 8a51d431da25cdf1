"""How an instance refresh replaces a group's instances: by batches, with checkpoints, and back again.

Instances that end count as being replaced until they have ended: the next batch waits for their terminate hooks.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup
from moto.ec2.models.launch_templates import LaunchTemplateVersion

from local.aws.autoscaling_state import Member, State
from local.aws.events import Event, utc
from local.aws.launching import template_of
from local.aws.refresh_record import RUNNING, Refresh, Status
from local.aws.refresh_rules import WAIT_LIMIT_S, Preferences
from local.aws.terminating import Terminator

NEEDED = ("InstanceRefresh", "Launch", "Terminate")
"""A group that suspends one of these holds its refresh."""


@dataclass(slots=True)
class Refreshing:
    """The refreshes of all groups, in the order in which they began. Runs under the groups' lock."""

    state: State
    terminator: Terminator
    in_alarm: Callable[[str], bool]
    """Whether the CloudWatch alarm of that name is in ALARM."""
    _kept: list[Refresh] = field(default_factory=list)

    def of(self, group: str) -> list[Refresh]:
        """The group's refreshes, the newest first."""
        return [one for one in reversed(self._kept) if one.auto_scaling_group_name == group]

    def running(self, group: str) -> Refresh | None:
        """The group's refresh that has not ended."""
        return next((one for one in self.of(group) if one.status in RUNNING), None)

    def deadlines(self) -> Iterator[float]:
        """When a refresh that nothing moves must be looked at."""
        for one in self._kept:
            if one.status in RUNNING:
                warm = [at + one.rules.warmup_s for at in one.served.values()]
                moments = (one.since + WAIT_LIMIT_S, one.paused_until, *warm)
                yield from (at for at in moments if at > self.state.clock())

    def begin(self, group: FakeAutoScalingGroup, rules: Preferences, target: LaunchTemplateVersion | None) -> Refresh:
        """Begin a refresh; what it replaces is what the group has now."""
        now = self.state.clock()
        goal = (target or template_of(group)).number
        members = self.state.counted(group.name)
        kept = {
            member.id
            for member in members
            if (rules.skip_matching and member.template_version == goal)
            or (rules.on_protected == "Ignore" and member.shown.protected_from_scale_in)
        }
        old = {member.id for member in members} - kept
        begun = Refresh(
            instance_refresh_id=str(uuid.uuid4()),
            auto_scaling_group_name=group.name,
            status=Status.PENDING,
            start_time=utc(now),
            percentage_complete=0,
            instances_to_update=len(old),
            rules=rules,
            target=target,
            total=len(old),
            left_alone=kept,
            since=now,
            old=old,
        )
        self._kept.append(begun)
        return begun

    def cancel(self, refresh: Refresh) -> None:
        """Begin nothing more; ended as soon as nothing is being replaced."""
        refresh.status = Status.CANCELLING
        refresh.status_reason = "Cancelled by user"
        group = self.state.group(refresh.auto_scaling_group_name)
        if not self._in_flight(refresh, group):
            self._end(refresh, group, Status.CANCELLED, "Cancelled")

    def roll_back(self, refresh: Refresh, because: str) -> None:
        """Replace the new instances by such as the group's own configuration makes."""
        group = self.state.group(refresh.auto_scaling_group_name)
        now = self.state.clock()
        refresh.rollback_details = {
            "RollbackReason": because,
            "RollbackStartTime": utc(now),
            "PercentageCompleteOnRollback": refresh.percentage_complete,
            "InstancesToUpdateOnRollback": refresh.instances_to_update,
        }
        refresh.status, refresh.status_reason = Status.ROLLING_BACK, because
        refresh.since, refresh.paused_until = now, 0.0
        notes = self.state.notes[group.name]
        notes.refresh_version, notes.surplus = None, 0
        refresh.old = {member.id for member in self.state.counted(group.name) if self._is_new(refresh, member)}
        refresh.served = {}
        self._tell(refresh, group, "Rollback Started")
        self.state.changed = True

    # One look.

    def advance(self, group: FakeAutoScalingGroup) -> None:
        """Do what is due of the group's refresh."""
        refresh = self.running(group.name)
        if refresh is None or any(self.state.suspended(group, process) for process in NEEDED):
            return
        if refresh.status is Status.PENDING:
            self._start(refresh, group)
        self._note_served(refresh, group)
        if self._failed(refresh, group):
            return
        self._count(refresh, group)
        if self._done(refresh, group):
            self._finish(refresh, group)
        elif not self._pauses(refresh, group):
            self._replace(refresh, group)

    def _start(self, refresh: Refresh, group: FakeAutoScalingGroup) -> None:
        refresh.status = Status.IN_PROGRESS
        self.state.notes[group.name].refresh_version = refresh.target
        self._tell(refresh, group, "Started")

    def _note_served(self, refresh: Refresh, group: FakeAutoScalingGroup) -> None:
        now, before = self.state.clock(), (len(refresh.old), len(refresh.served))
        for member in self.state.of(group.name):
            if member.state == "InService" and member.id not in refresh.old:
                refresh.served.setdefault(member.id, now)
        refresh.old &= {member.id for member in self.state.of(group.name)}
        if (len(refresh.old), len(refresh.served)) != before:
            refresh.since = now

    def _failed(self, refresh: Refresh, group: FakeAutoScalingGroup) -> bool:
        """Whether it has failed, and what follows from that."""
        forward = refresh.status is Status.IN_PROGRESS
        alarm = next((name for name in refresh.rules.alarms if self.in_alarm(name)), None) if forward else None
        if alarm is not None:
            reason = f"CloudWatch alarm {alarm} is in ALARM"
        elif self.state.clock() >= refresh.since + WAIT_LIMIT_S and not refresh.paused_until:
            reason = "Waited an hour for an instance to be replaced"
        else:
            return False
        if refresh.rules.auto_rollback and forward:
            self.roll_back(refresh, reason)
        else:
            self._end(refresh, group, Status.FAILED if forward else Status.ROLLBACK_FAILED, "Failed", reason)
        return True

    def _count(self, refresh: Refresh, group: FakeAutoScalingGroup) -> None:
        """Tell how far it is; what a rollback replaces is not counted as progress, but taken off."""
        if refresh.status is Status.ROLLING_BACK:
            left = len(refresh.old)
            if refresh.total:
                refresh.percentage_complete = min(refresh.percentage_complete, 100 * left // refresh.total)
            return
        missing = (group.desired_capacity or 0) - len(self._ready(refresh, group))
        left = max(len(refresh.old), min(refresh.total, missing))
        refresh.instances_to_update = left
        refresh.percentage_complete = 100 * (refresh.total - left) // refresh.total if refresh.total else 100

    def _done(self, refresh: Refresh, group: FakeAutoScalingGroup) -> bool:
        if refresh.status is Status.CANCELLING:
            return not self._in_flight(refresh, group)
        if self._last_checkpoint_passed(refresh):
            return not self._in_flight(refresh, group)
        waiting = [member for member in self.state.of(group.name) if not self._serves(refresh, member)]
        return not refresh.old and not waiting

    def _last_checkpoint_passed(self, refresh: Refresh) -> bool:
        points = refresh.rules.checkpoints
        return refresh.status is Status.IN_PROGRESS and bool(points) and refresh.passed == len(points)

    def _finish(self, refresh: Refresh, group: FakeAutoScalingGroup) -> None:
        if refresh.status is Status.CANCELLING:
            self._end(refresh, group, Status.CANCELLED, "Cancelled", refresh.status_reason)
        elif refresh.status is Status.ROLLING_BACK:
            refresh.percentage_complete = 0
            self._end(refresh, group, Status.ROLLED_BACK, "Rollback Succeeded", refresh.status_reason)
        else:
            if refresh.target is not None:
                _apply(group, refresh.target)
            self._end(refresh, group, Status.SUCCESSFUL, "Succeeded")

    def _pauses(self, refresh: Refresh, group: FakeAutoScalingGroup) -> bool:
        """Whether it waits after a checkpoint, or has just reached one."""
        now, points = self.state.clock(), refresh.rules.checkpoints
        if refresh.paused_until > now:
            return True
        if refresh.paused_until:
            refresh.paused_until, refresh.since = 0.0, now
        forward = refresh.status is Status.IN_PROGRESS and refresh.passed < len(points)
        if not forward or refresh.percentage_complete < points[refresh.passed]:
            return False
        reached = points[refresh.passed]
        refresh.passed += 1
        refresh.paused_until = now + refresh.rules.checkpoint_delay_s
        refresh.status_reason = f"Checkpoint of {reached}% reached"
        delay = str(int(refresh.rules.checkpoint_delay_s))
        self._tell(refresh, group, "Checkpoint Reached", CheckpointPercentage=str(reached), CheckpointDelay=delay)
        return True

    def _replace(self, refresh: Refresh, group: FakeAutoScalingGroup) -> None:
        """End the old instances that may end now, and ask for as many new ones as may come first."""
        desired = group.desired_capacity or 0
        olds = [member for member in self.state.of(group.name) if member.id in refresh.old]
        ending = [member for member in olds if member.state.startswith("Terminating")]
        standing = [member for member in olds if member not in ending and self._may_end(refresh, member)]
        for member in [member for member in standing if member.state != "InService"]:
            self._begin_end(member)  # it gives no capacity, so nothing is lost
            standing.remove(member)
        room = self._batch(refresh, group) - len(ending)
        while standing and room > 0 and self._spare(refresh, group, desired):
            self._begin_end(standing.pop(0))
            room -= 1
        notes, before = self.state.notes[group.name], self.state.notes[group.name].surplus
        notes.surplus = max(0, min(room, len(standing))) if refresh.rules.launches_first else 0
        self.state.changed = self.state.changed or notes.surplus != before

    def _batch(self, refresh: Refresh, group: FakeAutoScalingGroup) -> int:
        """How many may be replaced at once; not more than the next checkpoint needs."""
        most = refresh.rules.at_once(group.desired_capacity or 0)
        if refresh.status is Status.CANCELLING:
            return min(most, max(0, len(self.state.counted(group.name)) - (group.desired_capacity or 0)))
        points = refresh.rules.checkpoints
        if refresh.status is not Status.IN_PROGRESS or refresh.passed >= len(points):
            return most
        needed = -(-refresh.total * points[refresh.passed] // 100)
        return min(most, max(0, needed - (refresh.total - refresh.instances_to_update)))

    def _spare(self, refresh: Refresh, group: FakeAutoScalingGroup, desired: int) -> bool:
        """Whether one of those in service can go."""
        serving = [
            member
            for member in self.state.counted(group.name)
            if member.state == "InService" and (member.id in refresh.old or self._serves(refresh, member))
        ]
        least = desired if refresh.rules.launches_first else desired - refresh.rules.at_once(desired)
        return len(serving) - 1 >= least

    def _may_end(self, refresh: Refresh, member: Member) -> bool:
        return refresh.rules.on_protected == "Refresh" or not member.shown.protected_from_scale_in

    def _begin_end(self, member: Member) -> None:
        self.terminator.begin(member, "an instance was taken out of service in response to an instance refresh.")

    def _serves(self, refresh: Refresh, member: Member) -> bool:
        """Whether a new instance is in service and has warmed up."""
        since = refresh.served.get(member.id)
        if member.state != "InService" or since is None:
            return False
        return member.id in refresh.left_alone or self.state.clock() >= since + refresh.rules.warmup_s

    def _ready(self, refresh: Refresh, group: FakeAutoScalingGroup) -> list[Member]:
        return [member for member in self.state.counted(group.name) if self._serves(refresh, member)]

    def _is_new(self, refresh: Refresh, member: Member) -> bool:
        return refresh.target is not None and member.template_version == refresh.target.number

    def _in_flight(self, refresh: Refresh, group: FakeAutoScalingGroup) -> bool:
        desired = group.desired_capacity or 0
        moving = any(member.state != "InService" for member in self.state.of(group.name))
        return moving or len(self.state.counted(group.name)) != desired

    def _end(
        self, refresh: Refresh, group: FakeAutoScalingGroup, status: Status, told: str, reason: str | None = None
    ) -> None:
        refresh.status, refresh.status_reason = status, reason
        refresh.end_time = utc(self.state.clock())
        notes = self.state.notes[group.name]
        notes.refresh_version, notes.surplus = None, 0
        self._tell(refresh, group, "Rollback Failed" if status is Status.ROLLBACK_FAILED else told)
        self.state.changed = True

    def _tell(self, refresh: Refresh, group: FakeAutoScalingGroup, what: str, **more: str) -> None:
        detail = {
            "InstanceRefreshId": refresh.instance_refresh_id,
            "AutoScalingGroupName": group.name,
            **more,
        }
        kind = f"EC2 Auto Scaling Instance Refresh {what}"
        self.state.outbox.append(Event("aws.autoscaling", kind, detail, (group.arn,)))


def _apply(group: FakeAutoScalingGroup, target: LaunchTemplateVersion) -> None:
    """Make the version the group's own, as AWS does once a refresh has succeeded."""
    group.ec2_launch_template = target.template
    group.launch_template_version = group.provided_launch_template_version = str(target.number)
    policy: dict[str, Any] | None = group.mixed_instances_policy
    if policy:
        policy["LaunchTemplate"]["LaunchTemplateSpecification"] = {
            "LaunchTemplateId": target.template.id,
            "LaunchTemplateName": target.template.name,
            "Version": str(target.number),
        }
