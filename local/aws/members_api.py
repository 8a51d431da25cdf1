"""Auto Scaling's actions on the instances of a group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.responses import AutoScalingResponse

from local.aws.autoscaling_api import in_progress
from local.aws.autoscaling_state import State
from local.aws.patching import Gate, Patches, Request, as_action
from local.aws.terminating import Terminator


@dataclass(frozen=True, slots=True)
class MembersApi:
    """The actions; the gate holds the groups' lock round each."""

    state: State
    terminator: Terminator
    gate: Gate

    def install(self, patches: Patches) -> None:
        """Serve the actions from moto's response class."""
        handlers: dict[str, Callable[[Request], object]] = {
            "terminate_instance_in_auto_scaling_group": self.terminate,
            "set_instance_protection": self.set_instance_protection,
            "set_instance_health": self.set_instance_health,
        }
        for name, handler in handlers.items():
            patches.replace(AutoScalingResponse, name, as_action(self.gate.held(handler)))

    def terminate(self, request: Request) -> object:
        """TerminateInstanceInAutoScalingGroup: exactly this instance, protected or not, after its hook."""
        if request.raw("InstanceIds"):
            raise ValidationError("InstanceIds is not emulated: terminate one instance a call")
        member = self.state.member(request.text("InstanceId"))
        group = self.state.group(member.group)
        if member.state.startswith("Terminating"):
            raise in_progress(f"Instance {member.id} is already being terminated.")
        desired, low = group.desired_capacity or 0, group.min_size or 0
        because = f"instance {member.id} was taken out of service in response to a user request"
        if request.flag("ShouldDecrementDesiredCapacity", False):
            if desired - 1 < low:
                raise ValidationError(
                    f"Currently, desiredSize equals minSize ({low}). Terminating instance without replacement will"
                    " violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or"
                    " lower group's min size."
                )
            group.desired_capacity = desired - 1
            because += f", shrinking the capacity from {desired} to {desired - 1}"
        activity = self.terminator.begin(member, f"{because}.")
        return {"Activity": self.state.activities.get(activity)}

    def set_instance_protection(self, request: Request) -> None:
        """SetInstanceProtection: for instances of the group that are in service or standby."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        ids = request.texts("InstanceIds")
        for instance_id in ids:
            member = self.state.members.get(instance_id)
            if member is None or member.group != group.name:
                raise ValidationError(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
            if member.state not in ("InService", "EnteringStandby", "Standby"):
                raise ValidationError(f"The instance {instance_id} is not in InService or EnteringStandby or Standby.")
        protect = request.flag("ProtectedFromScaleIn", False)
        for instance_id in ids:
            self.state.members[instance_id].shown.protected_from_scale_in = protect

    def set_instance_health(self, request: Request) -> None:
        """SetInstanceHealth: Unhealthy is replaced, after the grace period unless told not to respect it."""
        member = self.state.member(request.text("InstanceId"))
        health = request.text("HealthStatus")
        if health not in ("Healthy", "Unhealthy"):
            raise ValidationError("Valid instance health states are: [Healthy, Unhealthy]")
        grace = self.state.group(member.group).health_check_grace_period or 0
        young = self.state.clock() < member.launched + grace
        if not (health == "Unhealthy" and young and request.flag("ShouldRespectGracePeriod", True)):
            member.shown.health_status = health
