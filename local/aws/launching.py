"""How a group's instance comes into service, or doesn't."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import ASG_NAME_TAG, FakeAutoScalingGroup, InstanceState
from moto.ec2.models.instances import Instance as Ec2Instance
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.elbv2.exceptions import TargetNotRunning

from local.aws.autoscaling_state import GroupNotes, Member, State
from local.aws.events import Event, seconds_iso
from local.aws.group_rules import Place, back_off_s, place_for_launch
from local.aws.instances import Ec2State, Launch, LaunchRefusedError, NoCapacityError
from local.aws.lifecycle import Action, Transition

logger = logging.getLogger(__name__)


def places_of(group: FakeAutoScalingGroup) -> list[Place]:
    """Where a group may launch: its subnets, or the default subnet of each of its zones."""
    if not group.vpc_zone_identifier:
        return [Place("", zone) for zone in group.availability_zones]
    subnets = group.ec2_backend.describe_subnets(subnet_ids=group.vpc_zone_identifier.split(","))
    zones = {subnet.id: subnet.availability_zone for subnet in subnets}
    return [Place(subnet_id, zones[subnet_id]) for subnet_id in group.vpc_zone_identifier.split(",")]


def template_of(group: FakeAutoScalingGroup) -> LaunchTemplateVersion:
    """The launch template version that new instances use."""
    if group.ec2_launch_template is None:
        raise ValidationError(f"group {group.name} has no launch template")
    return group.ec2_launch_template.get_version(group.launch_template_version)


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a group may launch: the types that override the template's (an empty one: none does), the first first."""

    types: tuple[str, ...] = ("",)
    is_spot: bool = False

    @property
    def refusal(self) -> str:
        """What a group with a mixture says before EC2's own words; one without says nothing."""
        if self.types == ("",):
            return ""
        return f"Could not launch {'Spot' if self.is_spot else 'On-Demand'} Instances. InsufficientInstanceCapacity - "


def mixture_of(group: FakeAutoScalingGroup) -> Mixture:
    """The group's mixed instances policy; all spot or all on demand, by its share above the base."""
    policy: dict[str, Any] = group.mixed_instances_policy or {}
    overrides = policy.get("LaunchTemplate", {}).get("Overrides") or []
    types = tuple(str(each["InstanceType"]) for each in overrides if each.get("InstanceType"))
    share = policy.get("InstancesDistribution", {}).get("OnDemandPercentageAboveBaseCapacity")
    return Mixture(types or ("",), is_spot=share is not None and int(share) == 0)


def hook_event(member: Member, action: Action, group_arn: str) -> Event:
    """The event that tells that an instance waits on a hook."""
    launching = action.hook.transition is Transition.LAUNCHING
    detail: dict[str, object] = {
        "LifecycleActionToken": action.token,
        "AutoScalingGroupName": member.group,
        "LifecycleHookName": action.hook.name,
        "EC2InstanceId": member.id,
        "LifecycleTransition": str(action.hook.transition),
        "Origin": "EC2" if launching else "AutoScalingGroup",
        "Destination": "AutoScalingGroup" if launching else "EC2",
    }
    if action.hook.metadata is not None:
        detail["NotificationMetadata"] = action.hook.metadata
    kind = "launch" if launching else "terminate"
    return Event("aws.autoscaling", f"EC2 Instance-{kind} Lifecycle Action", detail, (group_arn,))


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts instances and brings them into service."""

    state: State

    def launch(self, group: FakeAutoScalingGroup, place: Place | None = None) -> None:
        """Begin one launch; a refusal of EC2's is a failed activity and puts the next launch off."""
        state, now = self.state, self.state.clock()
        places = places_of(group)
        place = place or place_for_launch(places, [member.place for member in state.counted(group.name)])
        cause = self._cause(group, now)
        try:
            instance, template = self._launched(group, place, tuple(each.zone for each in places if each != place))
        except LaunchRefusedError as refused:
            self._note_refusal(group, place, cause, str(refused))
            return
        instance.autoscaling_group = group  # type: ignore[attr-defined]  # moto sets it the same way
        protected = group.new_instances_protected_from_scale_in
        shown = InstanceState(instance, "Pending", protected_from_scale_in=protected)
        group.instance_states.append(shown)
        activity = state.activities.begin(
            (group.name, group.arn),
            f"Launching a new EC2 instance: {instance.id}",
            cause,
            now,
            Subnet_ID=place.subnet_id,
            Availability_Zone=place.zone,
        )
        state.members[instance.id] = Member(shown, instance, group.name, place, template.number, now, activity)
        state.changed = True

    def _launched(
        self, group: FakeAutoScalingGroup, place: Place, other_zones: tuple[str, ...]
    ) -> tuple[Ec2Instance, LaunchTemplateVersion]:
        """An instance of the first type that EC2 has; LaunchRefusedError when it has none of them."""
        template = self.state.notes[group.name].refresh_version or template_of(group)
        mixture = mixture_of(group)
        tags = {**group.get_propagated_tags(), ASG_NAME_TAG: group.name}
        wanted = Launch(template, place.subnet_id, place.zone, tags, "", group.name, other_zones, mixture.is_spot)
        for number, instance_type in enumerate(mixture.types, 1):
            try:
                return self.state.ec2.launch(replace(wanted, instance_type=instance_type)), template
            except NoCapacityError as lacking:
                if number == len(mixture.types):
                    raise LaunchRefusedError(f"{mixture.refusal}{lacking} Launching EC2 instance failed.") from lacking
        raise ValidationError(f"group {group.name} has no instance type")

    def advance(self, member: Member) -> None:
        """Move a launching member as far as it can go now."""
        if member.state == "Pending":
            self._after_boot(member)
        elif member.state == "Pending:Wait" and not self.state.actions.of(member.id):
            self._in_service(member)

    def abandoned(self, member: Member, message: str) -> None:
        """Note that a launch was given up while it waited; the instance is still to be terminated."""
        state, now = self.state, self.state.clock()
        state.actions.end_all(member.id)
        done = state.activities.finish(member.activity, "Cancelled", now, message)
        state.announce(member, "EC2 Instance Launch Unsuccessful", done, launching=True)

    def _after_boot(self, member: Member) -> None:
        failure = self.state.ec2.failure(member.id)
        if failure is not None:
            self._failed(member, f"{failure}. Launching EC2 instance failed.")
        elif member.instance.state_code != Ec2State.PENDING:
            self._wait_or_serve(member)

    def _wait_or_serve(self, member: Member) -> None:
        state, now = self.state, self.state.clock()
        hooks = state.hooks(member.group, Transition.LAUNCHING)
        if not hooks:
            self._in_service(member)
            return
        state.move(member, "Pending:Wait")
        state.activities.advance(member.activity, "MidLifecycleAction", 60)
        for hook in hooks:
            action = state.actions.begin(hook, member.id, now)
            state.outbox.append(hook_event(member, action, state.group(member.group).arn))

    def _in_service(self, member: Member) -> None:
        state, now = self.state, self.state.clock()
        state.move(member, "InService")
        group = state.group(member.group)
        notes = state.notes[member.group]
        notes.failures, notes.retry_at = 0, 0.0
        notes.cooldown_until = now + group.default_cooldown
        done = state.activities.finish(member.activity, "Successful", now)
        state.announce(member, "EC2 Instance Launch Successful", done, launching=True)
        self._register(group, member)

    def _register(self, group: FakeAutoScalingGroup, member: Member) -> None:
        balancers = self.state.backend.elbv2_backend
        for arn in group.target_group_arns:
            (target_group,) = balancers.describe_target_groups(None, [arn], None)
            try:
                balancers.register_targets(arn, [{"Id": member.id, "Port": target_group.port}])
            except TargetNotRunning:  # it has been ended while its hooks ran: the next health check replaces it
                logger.info("%s doesn't run, so it is no target of %s", member.id, target_group.name)

    def _failed(self, member: Member, message: str) -> None:
        state, now = self.state, self.state.clock()
        self._put_off(state.notes[member.group], now)
        done = state.activities.finish(member.activity, "Failed", now, message)
        state.announce(member, "EC2 Instance Launch Unsuccessful", done, launching=True)
        state.ec2.ec2.terminate_instances([member.id])
        state.forget(member)

    def _note_refusal(self, group: FakeAutoScalingGroup, place: Place, cause: str, message: str) -> None:
        state, now = self.state, self.state.clock()
        self._put_off(state.notes[group.name], now)
        name_and_arn = (group.name, group.arn)
        activity = state.activities.begin(
            name_and_arn,
            "Launching a new EC2 instance",
            cause,
            now,
            Subnet_ID=place.subnet_id,
            Availability_Zone=place.zone,
        )
        done = state.activities.finish(activity, "Failed", now, message)
        detail: dict[str, object] = {
            "StatusCode": "Failed",
            "AutoScalingGroupName": group.name,
            "ActivityId": done.activity_id,
            "Details": {"Availability Zone": place.zone, "Subnet ID": place.subnet_id},
            "RequestId": done.activity_id,
            "StatusMessage": message,
            "Description": done.description,
            "StartTime": seconds_iso(now),
            "EndTime": seconds_iso(now),
            "EC2InstanceId": "",
            "Cause": cause,
            "Origin": "EC2",
            "Destination": "AutoScalingGroup",
        }
        state.outbox.append(Event("aws.autoscaling", "EC2 Instance Launch Unsuccessful", detail, (group.arn,)))

    def _put_off(self, notes: GroupNotes, now: float) -> None:
        timing = self.state.timing
        notes.failures += 1
        notes.retry_at = now + back_off_s(notes.failures, timing.back_off_s, timing.longest_back_off_s)

    def _cause(self, group: FakeAutoScalingGroup, now: float) -> str:
        count = len(self.state.counted(group.name))
        return (
            f"{self.state.notes[group.name].cause}  At {seconds_iso(now)} an instance was started in response to a"
            f" difference between desired and actual capacity, increasing the capacity from {count} to {count + 1}."
        )
