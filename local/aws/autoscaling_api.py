"""Auto Scaling's actions on groups, checked as AWS checks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from local.aws.autoscaling_state import PROCESSES, GroupNotes, State
from local.aws.events import seconds_iso
from local.aws.group_rules import desired_fault, size_fault
from local.aws.lifecycle_api import hook_fault, put_hook
from local.aws.patching import Gate, Patches, Request, as_action

Action = Callable[[AutoScalingResponse], ActionResult]

GUARDED = (
    "attach_instances",
    "detach_instances",
    "attach_load_balancer_target_groups",
    "describe_load_balancer_target_groups",
    "detach_load_balancer_target_groups",
    "attach_load_balancers",
    "describe_load_balancers",
    "detach_load_balancers",
    "enter_standby",
    "exit_standby",
    "enable_metrics_collection",
    "put_scaling_policy",
)
"""moto's own actions that need only to know the group, and the lock."""


@dataclass(frozen=True, slots=True)
class AutoScalingApi:
    """The actions; the gate holds the groups' lock round each."""

    state: State
    gate: Gate

    def install(self, patches: Patches) -> None:
        """Serve the actions from moto's response class."""
        for name in GUARDED:
            guarded = self._guarded(getattr(AutoScalingResponse, name))
            patches.replace(AutoScalingResponse, name, as_action(self.gate.held(guarded)))
        create = AutoScalingResponse.create_auto_scaling_group
        handlers: dict[str, Callable[[Request], object]] = {
            "create_auto_scaling_group": lambda request: self.create(request, create),
            "update_auto_scaling_group": self.update,
            "delete_auto_scaling_group": self.delete,
            "set_desired_capacity": self.set_desired_capacity,
            "suspend_processes": self.suspend,
            "resume_processes": self.resume,
            "describe_scaling_activities": self.describe_activities,
            "put_scheduled_update_group_action": self.plan,
            "put_warm_pool": self.refuse_warm_pool,
        }
        for name, handler in handlers.items():
            patches.replace(AutoScalingResponse, name, as_action(self.gate.held(handler)))

    def create(self, request: Request, original: Action) -> None:
        """CreateAutoScalingGroup: instances are launched soon after, not within the call."""
        name = request.text("AutoScalingGroupName")
        low, high = request.number("MinSize") or 0, request.number("MaxSize") or 0
        desired = request.number("DesiredCapacity")
        self._refuse_unless_new(name, request)
        _refuse(size_fault(low, high, low if desired is None else desired))
        hooks = request.raw("LifecycleHookSpecificationList") or []
        for hook in hooks:
            _refuse(hook_fault(hook, is_new=True))
        original(cast(AutoScalingResponse, request.response))
        group = self.state.group(name)
        group.default_cooldown = _given(request.number("DefaultCooldown"), 300)
        group.health_check_grace_period = _given(request.number("HealthCheckGracePeriod"), 0)
        for hook in hooks:
            put_hook(self.state, name, hook)
        at = seconds_iso(self.state.clock())
        made = "a user request created an AutoScalingGroup changing the desired capacity from 0 to"
        self.state.notes[name] = GroupNotes(f"At {at} {made} {group.desired_capacity}.")

    def update(self, request: Request) -> None:
        """UpdateAutoScalingGroup: new bounds move desired capacity, an explicit one outside them is refused."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        low = _given(request.number("MinSize"), group.min_size)
        high = _given(request.number("MaxSize"), group.max_size)
        asked = request.number("DesiredCapacity")
        _refuse(size_fault(low, high, low if low > high else min(max(_given(asked, low), low), high)))
        if asked is not None:
            _refuse(size_fault(low, high, asked))
        before = group.desired_capacity or 0
        self._apply_update(group, request)
        bounds = f"a user request update of AutoScalingGroup constraints to min: {low}, max: {high}, desired:"
        desired = min(max(_given(asked, before), low), high)
        group.desired_capacity = before
        self.state.set_desired(group, desired, f"{bounds} {desired}")

    def delete(self, request: Request) -> None:
        """DeleteAutoScalingGroup: refused while it has instances, unless forced; forcing skips the hooks."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        members = list(self.state.of(group.name))
        if members and not request.flag("ForceDelete", False):
            raise AutoscalingClientError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s)"
                " still in the group.",
            )
        for member in members:
            self.state.ec2.ec2.terminate_instances([member.id])
            self.state.forget(member)
        backend = self.state.backend
        del backend.autoscaling_groups[group.name]
        del self.state.notes[group.name]
        for hook in backend.describe_lifecycle_hooks(group.name):
            backend.delete_lifecycle_hook(group.name, hook.name)

    def set_desired_capacity(self, request: Request) -> None:
        """SetDesiredCapacity: within the bounds, and outside the cooldown when told to honour it."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        desired = request.number("DesiredCapacity") or 0
        _refuse(desired_fault(group.min_size or 0, group.max_size or 0, desired))
        cooling = self.state.clock() < self.state.notes[group.name].cooldown_until
        if request.flag("HonorCooldown", False) and cooling:
            raise in_progress("The cooldown of an earlier scaling activity has not ended.")
        because = "a user request explicitly set group desired capacity"
        self.state.set_desired(group, desired, because)

    def suspend(self, request: Request) -> None:
        """SuspendProcesses: all of them when none is named."""
        group, named = self._processes(request)
        group.suspended_processes = sorted({*group._suspended_processes, *named})

    def resume(self, request: Request) -> None:
        """ResumeProcesses: all of them when none is named."""
        group, named = self._processes(request)
        group.suspended_processes = sorted({*group._suspended_processes} - {*named})

    def describe_activities(self, request: Request) -> object:
        """DescribeScalingActivities: newest first, 100 a page at the most."""
        name = request.text("AutoScalingGroupName")
        if name and not request.flag("IncludeDeletedGroups", False):
            self.state.group(name)
        found = self.state.activities.of(name, tuple(request.texts("ActivityIds")))
        start = int(request.text("NextToken") or 0)
        end = start + (request.number("MaxRecords") or 100)
        return {"Activities": found[start:end], "NextToken": str(end) if end < len(found) else None}

    def plan(self, request: Request) -> None:
        """PutScheduledUpdateGroupAction: runs once at its start time; recurrence is refused."""
        self.state.group(request.text("AutoScalingGroupName"))
        if request.text("Recurrence"):
            raise ValidationError("Recurrence is not emulated: give a StartTime")
        self.state.backend.put_scheduled_update_group_action(
            name=request.text("AutoScalingGroupName"),
            desired_capacity=request.number("DesiredCapacity"),
            max_size=request.number("MaxSize"),
            min_size=request.number("MinSize"),
            scheduled_action_name=request.text("ScheduledActionName"),
            start_time=request.raw("StartTime"),
            end_time=request.raw("EndTime"),
            recurrence=None,
            timezone=request.raw("TimeZone"),
        )

    def refuse_warm_pool(self, request: Request) -> None:
        """PutWarmPool: refused."""
        raise ValidationError(f"warm pools are not emulated (group {request.text('AutoScalingGroupName')})")

    def _refuse_unless_new(self, name: str, request: Request) -> None:
        if name in self.state.backend.autoscaling_groups:
            raise AutoscalingClientError(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group already exists with the name {name}",
            )
        if not (request.raw("LaunchTemplate") or request.raw("MixedInstancesPolicy")):
            raise ValidationError("only groups with a LaunchTemplate or a MixedInstancesPolicy are emulated")

    def _apply_update(self, group: FakeAutoScalingGroup, request: Request) -> None:
        group.update(
            availability_zones=request.texts("AvailabilityZones"),
            desired_capacity=group.desired_capacity,
            max_size=request.number("MaxSize"),
            min_size=request.number("MinSize"),
            launch_config_name="",
            launch_template=request.raw("LaunchTemplate") or {},
            vpc_zone_identifier=request.text("VPCZoneIdentifier"),
            health_check_period=_given(request.number("HealthCheckGracePeriod"), group.health_check_grace_period),
            health_check_type=request.text("HealthCheckType") or group.health_check_type,
            new_instances_protected_from_scale_in=request.flag(
                "NewInstancesProtectedFromScaleIn", group.new_instances_protected_from_scale_in
            ),
            mixed_instances_policy=request.raw("MixedInstancesPolicy") or group.mixed_instances_policy,
        )
        group.default_cooldown = _given(request.number("DefaultCooldown"), group.default_cooldown)
        group.termination_policies = request.texts("TerminationPolicies") or group.termination_policies

    def _processes(self, request: Request) -> tuple[FakeAutoScalingGroup, tuple[str, ...]]:
        group = self.state.group(request.text("AutoScalingGroupName"))
        named = tuple(request.texts("ScalingProcesses")) or PROCESSES
        unknown = set(named) - set(PROCESSES)
        if unknown:
            raise ValidationError(f"Invalid process type(s): {', '.join(sorted(unknown))}")
        return group, named

    def _guarded(self, original: Action) -> Callable[[Request], ActionResult]:
        def known_group(request: Request) -> ActionResult:
            self.state.group(request.text("AutoScalingGroupName"))
            return original(cast(AutoScalingResponse, request.response))

        return known_group


def _refuse(fault: str | None) -> None:
    if fault is not None:
        raise ValidationError(fault)


def _given(value: int | None, otherwise: int | None) -> int:
    return (otherwise or 0) if value is None else value


def in_progress(message: str) -> AutoscalingClientError:
    """What AWS answers when something else must end first."""
    return AutoscalingClientError("ScalingActivityInProgress", message)
