"""One look at all groups: move every member on, judge health, and meet desired capacity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from moto.autoscaling.models import FakeAutoScalingGroup, FakeScheduledAction, InstanceState

from local.aws.autoscaling_state import Member, State
from local.aws.group_rules import Place, rebalance_place, scale_in_choice
from local.aws.instances import Ec2State
from local.aws.launching import Launcher, places_of
from local.aws.refreshing import Refreshing
from local.aws.terminating import Terminator


@dataclass(slots=True)
class ScalingPass:
    """Runs under the owner's lock."""

    state: State
    launcher: Launcher
    terminator: Terminator
    refreshing: Refreshing
    next_health_check: float = 0.0

    def run(self) -> None:
        """Do everything that is due, until nothing moves."""
        self._check_health()
        while self._moved():
            pass

    def next_due(self) -> float:
        """When something will be due again, if nothing happens before."""
        now = self.state.clock()
        retries = [notes.retry_at for notes in self.state.notes.values() if notes.retry_at > now]
        planned = [start for plan in self.state.backend.scheduled_actions.values() if (start := starts(plan))]
        due = [*self.state.actions.deadlines(), *retries, *planned, *self.refreshing.deadlines()]
        return min([self.next_health_check, *due])

    def _moved(self) -> bool:
        self.state.changed = False
        self._expire_actions()
        for group in self.state.groups():
            self._adopt(group)
            self._apply_schedule(group)
        for member in tuple(self.state.members.values()):
            self.launcher.advance(member)
            self.terminator.advance(member)
        for group in self.state.groups():
            self.refreshing.advance(group)
            self._reconcile(group)
        return self.state.changed

    def _expire_actions(self) -> None:
        for action in self.state.actions.expired(self.state.clock()):
            if action in self.state.actions.of(action.instance_id):  # another's end may have ended it too
                self.terminator.settle(action, action.hook.default_result, "Heartbeat Timeout")

    def _adopt(self, group: FakeAutoScalingGroup) -> None:
        """Follow moto's own actions: attached instances become members, detached ones are let go."""
        shown = {one.instance_id: one for one in group.instance_states}
        for member in [member for member in self.state.of(group.name) if member.id not in shown]:
            self.state.actions.end_all(member.id)
            del self.state.members[member.id]
        for instance_id in shown.keys() - self.state.members.keys():
            self.state.members[instance_id] = _attached(shown[instance_id], group.name, self.state.clock())

    def _apply_schedule(self, group: FakeAutoScalingGroup) -> None:
        planned = self.state.backend.scheduled_actions
        for name, plan in tuple(planned.items()):
            start = starts(plan)
            if plan.auto_scaling_group_name != group.name or start is None or start > self.state.clock():
                continue
            del planned[name]
            if not self.state.suspended(group, "ScheduledActions"):
                self._run_plan(group, plan)

    def _run_plan(self, group: FakeAutoScalingGroup, plan: FakeScheduledAction) -> None:
        group.min_size = group.min_size if plan.min_size is None else plan.min_size
        group.max_size = group.max_size if plan.max_size is None else plan.max_size
        wanted = group.desired_capacity if plan.desired_capacity is None else plan.desired_capacity
        within = min(max(wanted or 0, group.min_size or 0), group.max_size or 0)
        self.state.set_desired(group, within, f"a scheduled action {plan.scheduled_action_name} ran,")

    def _reconcile(self, group: FakeAutoScalingGroup) -> None:
        wanted = (group.desired_capacity or 0) + self.state.notes[group.name].surplus
        missing = wanted - len(self.state.counted(group.name))
        if missing > 0:
            self._scale_out(group, missing)
        elif missing < 0:
            self._scale_in(group, -missing)
        else:
            self._rebalance(group)

    def _scale_out(self, group: FakeAutoScalingGroup, missing: int) -> None:
        if self.state.suspended(group, "Launch"):
            return
        for _ in range(missing):
            if self.state.notes[group.name].retry_at > self.state.clock():
                return
            self.launcher.launch(group)

    def _scale_in(self, group: FakeAutoScalingGroup, surplus: int) -> None:
        members, notes = self.state.counted(group.name), self.state.notes[group.name]
        still_coming = any(member.state != "InService" for member in members)
        if self.state.suspended(group, "Terminate") or (notes.rebalancing and still_coming):
            return
        notes.rebalancing = False
        eligible = [member.candidate() for member in members if member.state in ("InService", "Pending:Wait")]
        for instance_id in scale_in_choice(eligible, surplus, group.termination_policies):
            count = len(self.state.counted(group.name))
            because = (
                "an instance was taken out of service in response to a difference between desired and actual"
                f" capacity, shrinking the capacity from {count} to {count - 1}."
            )
            self.terminator.begin(self.state.members[instance_id], because)

    def _rebalance(self, group: FakeAutoScalingGroup) -> None:
        notes = self.state.notes[group.name]
        busy = any(member.state != "InService" for member in self.state.of(group.name))
        held = any(self.state.suspended(group, process) for process in ("AZRebalance", "Launch", "Terminate"))
        if busy or held or notes.retry_at > self.state.clock():
            return
        place = rebalance_place(places_of(group), [member.candidate() for member in self.state.counted(group.name)])
        if place is not None:
            notes.rebalancing = True
            self.launcher.launch(group, place)

    def _check_health(self) -> None:
        now = self.state.clock()
        if now >= self.next_health_check:
            self.next_health_check = now + self.state.timing.health_check_s
            self.state.ec2.note_the_dead()
            for member in self.state.members.values():
                self._judge(member)
        for member in tuple(self.state.members.values()):
            self._replace_if_unhealthy(member)

    def _judge(self, member: Member) -> None:
        """Mark a member in service whose instance doesn't run; one that waits on a hook isn't looked at, as on AWS."""
        group = self.state.group(member.group)
        runs = member.instance.state_code in (Ec2State.PENDING, Ec2State.RUNNING)
        if not runs and member.state == "InService" and not self.state.suspended(group, "HealthCheck"):
            member.shown.health_status = "Unhealthy"

    def _replace_if_unhealthy(self, member: Member) -> None:
        group = self.state.group(member.group)
        held = any(self.state.suspended(group, process) for process in ("ReplaceUnhealthy", "Terminate"))
        if member.state == "InService" and member.shown.health_status == "Unhealthy" and not held:
            found = "an EC2 health check indicating it has been terminated or stopped."
            self.terminator.begin(member, f"an instance was taken out of service in response to {found}")


def _attached(shown: InstanceState, group: str, now: float) -> Member:
    instance = shown.instance
    place = Place(instance.subnet_id or "", instance.placement.zone or "")
    return Member(shown, instance, group, place, template_version=0, launched=now, activity="")


def starts(plan: FakeScheduledAction) -> float | None:
    """When a scheduled action is due; None when it has no start."""
    at: object = plan.start_time
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp() if isinstance(at, datetime) else None
