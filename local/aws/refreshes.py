"""Instance refreshes as Auto Scaling's API starts, tells, cancels and rolls them back; `refreshing` does the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.exceptions import ServiceException
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from werkzeug.exceptions import HTTPException

from local.aws.autoscaling_state import State
from local.aws.launching import template_of
from local.aws.patching import Gate, Patches, Request, as_action
from local.aws.refresh_record import Refresh, Status
from local.aws.refresh_rules import Preferences, RefreshFault, preferences_of
from local.aws.refreshing import Refreshing

FLOATING = ("$Latest", "$Default")


@dataclass(slots=True)
class Refreshes:
    """The actions; the gate holds the groups' lock round each."""

    state: State
    gate: Gate
    refreshing: Refreshing

    def install(self, patches: Patches) -> None:
        """Serve the actions, which moto lacks, from its response class."""
        handlers: dict[str, Callable[[Request], object]] = {
            "start_instance_refresh": self.start,
            "cancel_instance_refresh": self.cancel,
            "rollback_instance_refresh": self.roll_back,
            "describe_instance_refreshes": self.describe,
        }
        for name, handler in handlers.items():
            patches.replace(AutoScalingResponse, name, as_action(self.gate.held(handler)))

    def start(self, request: Request) -> object:
        """StartInstanceRefresh: one at a time a group."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        if self.refreshing.running(group.name) is not None:
            raise AutoscalingClientError("InstanceRefreshInProgress", "An Instance Refresh is already in progress")
        if request.text("Strategy", "Rolling") != "Rolling":
            raise ValidationError("only the strategy Rolling is emulated")
        given = request.raw("Preferences") or {}
        wanted = request.raw("DesiredConfiguration")
        try:
            preferences = preferences_of(given, float(group.health_check_grace_period or 0))
        except RefreshFault as fault:
            raise ValidationError(str(fault)) from fault
        target = None if wanted is None else self._target(group, wanted)
        _refuse_rollback(group, preferences, target)
        begun = self.refreshing.begin(group, preferences, target)
        begun.preferences, begun.desired_configuration = _shown(given, preferences), wanted
        return {"InstanceRefreshId": begun.instance_refresh_id}

    def cancel(self, request: Request) -> object:
        """CancelInstanceRefresh: what is being replaced now is finished, nothing more is begun."""
        refresh = self._running(request)
        self.refreshing.cancel(refresh)
        return {"InstanceRefreshId": refresh.instance_refresh_id}

    def roll_back(self, request: Request) -> object:
        """RollbackInstanceRefresh: replace what was replaced, by what the group's own configuration says."""
        refresh = self._running(request)
        group = self.state.group(refresh.auto_scaling_group_name)
        if refresh.target is None or group.launch_template_version in FLOATING:
            raise AutoscalingClientError(
                "IrreversibleInstanceRefresh", "Only a refresh to a desired configuration can be rolled back"
            )
        self.refreshing.roll_back(refresh, "Rolled back by user")
        return {"InstanceRefreshId": refresh.instance_refresh_id}

    def describe(self, request: Request) -> object:
        """DescribeInstanceRefreshes: newest first, 50 a page unless fewer are asked for."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        ids = request.texts("InstanceRefreshIds")
        found = [one for one in self.refreshing.of(group.name) if not ids or one.instance_refresh_id in ids]
        start = int(request.text("NextToken") or 0)
        end = start + (request.number("MaxRecords") or 50)
        return {"InstanceRefreshes": found[start:end], "NextToken": str(end) if end < len(found) else None}

    def _running(self, request: Request) -> Refresh:
        """The refresh that runs forward. Raises as AWS does when there is none."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        found = self.refreshing.running(group.name)
        if found is None or found.status not in (Status.PENDING, Status.IN_PROGRESS):
            raise AutoscalingClientError(
                "ActiveInstanceRefreshNotFound", f"No in progress or pending Instance Refresh found for {group.name}"
            )
        return found

    def _target(self, group: FakeAutoScalingGroup, wanted: Mapping[str, Any]) -> LaunchTemplateVersion:
        """The template version that the desired configuration names."""
        if bool(wanted.get("LaunchTemplate")) == bool(wanted.get("MixedInstancesPolicy")):
            raise ValidationError("DesiredConfiguration takes a LaunchTemplate or a MixedInstancesPolicy")
        mixed = wanted.get("MixedInstancesPolicy")
        if bool(mixed) != bool(group.mixed_instances_policy):
            raise ValidationError("a change between a template and a mixed instances policy is not emulated")
        named = mixed["LaunchTemplate"]["LaunchTemplateSpecification"] if mixed else wanted["LaunchTemplate"]
        ec2 = self.state.ec2.ec2
        try:
            if named.get("LaunchTemplateId"):
                template = ec2.get_launch_template(named["LaunchTemplateId"])
            else:
                template = ec2.get_launch_template_by_name(named["LaunchTemplateName"])
            version = template.get_version(named.get("Version") or "$Default")
        except (ServiceException, HTTPException, IndexError, KeyError) as missing:
            raise ValidationError("The specified launch template or its version does not exist.") from missing
        if named.get("Version") in FLOATING:
            raise ValidationError("$Latest and $Default are not emulated for a refresh: give a number")
        return version


def _refuse_rollback(
    group: FakeAutoScalingGroup, preferences: Preferences, target: LaunchTemplateVersion | None
) -> None:
    if not preferences.auto_rollback:
        return
    if target is None:
        raise ValidationError("AutoRollback needs a desired configuration")
    if group.launch_template_version in FLOATING or str(template_of(group).image_id).startswith("resolve:ssm:"):
        raise ValidationError("AutoRollback needs a group whose launch template version is a number, with an AMI's id")


def _shown(given: Mapping[str, Any], preferences: Preferences) -> dict[str, Any]:
    """The preferences as DescribeInstanceRefreshes tells them."""
    return {
        **given,
        "MinHealthyPercentage": preferences.min_healthy,
        "MaxHealthyPercentage": preferences.max_healthy,
        "InstanceWarmup": int(preferences.warmup_s),
        "SkipMatching": preferences.skip_matching,
        "AutoRollback": preferences.auto_rollback,
        "ScaleInProtectedInstances": preferences.on_protected,
    }
