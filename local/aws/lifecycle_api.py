"""Auto Scaling's actions on lifecycle hooks and on the actions that wait on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import LifecycleHook
from moto.autoscaling.responses import AutoScalingResponse

from local.aws.autoscaling_state import State
from local.aws.lifecycle import HEARTBEATS, MAX_GLOBAL_TIMEOUT_S, Action, Result, Transition
from local.aws.patching import Gate, Patches, Request, as_action
from local.aws.terminating import Terminator

HEARTBEAT_RANGE_S = (30, 7200)


def hook_fault(hook: Mapping[str, Any], is_new: bool) -> str | None:
    """Why AWS refuses this hook's definition; None when it doesn't."""
    transition, result, heartbeat = (hook.get(k) for k in ("LifecycleTransition", "DefaultResult", "HeartbeatTimeout"))
    if transition is None and is_new:
        return "Null LifecycleTransition found. Please specify LifecycleTransition."
    if transition is not None and transition not in set(Transition):
        return f"Invalid LifecycleTransition: {transition}"
    if result is not None and result not in set(Result):
        return f"Invalid DefaultResult: {result}. Valid values: CONTINUE, ABANDON"
    low, high = HEARTBEAT_RANGE_S
    if heartbeat is not None and not low <= int(heartbeat) <= high:
        return f"HeartbeatTimeout must be between {low} and {high} seconds"
    return None


def put_hook(state: State, group: str, wanted: Mapping[str, Any]) -> None:
    """Store a hook as moto does, with what moto leaves out; what isn't given keeps its value."""
    key = f"{group}_{wanted['LifecycleHookName']}"
    old = state.backend.lifecycle_hooks.get(key)
    hook = LifecycleHook(
        wanted["LifecycleHookName"],
        group,
        wanted.get("LifecycleTransition") or (old.lifecycle_transition if old else None),
        wanted.get("HeartbeatTimeout") or (old.heartbeat_timeout if old else None),
        wanted.get("DefaultResult") or (old.default_result if old else None),
    )
    hook.global_timeout = int(min(MAX_GLOBAL_TIMEOUT_S, HEARTBEATS * hook.heartbeat_timeout))
    for name, key_of in (
        ("notification_metadata", "NotificationMetadata"),
        ("role_arn", "RoleARN"),
        ("notification_target_arn", "NotificationTargetARN"),
    ):
        setattr(hook, name, wanted.get(key_of, getattr(old, name, None)))
    state.backend.lifecycle_hooks[key] = hook


@dataclass(frozen=True, slots=True)
class LifecycleApi:
    """The actions; the gate holds the groups' lock round each."""

    state: State
    terminator: Terminator
    gate: Gate

    def install(self, patches: Patches) -> None:
        """Serve the actions from moto's response class; two of them moto lacks."""
        handlers: dict[str, Callable[[Request], object]] = {
            "put_lifecycle_hook": self.put,
            "delete_lifecycle_hook": self.delete,
            "describe_lifecycle_hooks": self.describe,
            "complete_lifecycle_action": self.complete,
            "record_lifecycle_action_heartbeat": self.heartbeat,
        }
        for name, handler in handlers.items():
            patches.replace(AutoScalingResponse, name, as_action(self.gate.held(handler)))

    def put(self, request: Request) -> None:
        """PutLifecycleHook: later instances wait on it."""
        group = self.state.group(request.text("AutoScalingGroupName")).name
        names = (
            "LifecycleHookName",
            "LifecycleTransition",
            "HeartbeatTimeout",
            "DefaultResult",
            "NotificationMetadata",
            "RoleARN",
            "NotificationTargetARN",
        )
        wanted = {name: value for name in names if (value := request.raw(name)) is not None}
        is_new = f"{group}_{wanted['LifecycleHookName']}" not in self.state.backend.lifecycle_hooks
        fault = hook_fault(wanted, is_new)
        if fault is not None:
            raise ValidationError(fault)
        put_hook(self.state, group, wanted)

    def delete(self, request: Request) -> None:
        """DeleteLifecycleHook: open actions end first, ABANDON for launches and CONTINUE for terminations."""
        group, name = request.text("AutoScalingGroupName"), request.text("LifecycleHookName")
        self.state.group(group)
        if f"{group}_{name}" not in self.state.backend.lifecycle_hooks:
            raise ValidationError(f"No Lifecycle Hook found with name {name} for Auto Scaling group {group}")
        for action in self.state.actions.on(group, name):
            launching = action.hook.transition is Transition.LAUNCHING
            result = Result.ABANDON if launching else Result.CONTINUE
            self.terminator.settle(action, result, "Lifecycle Hook was deleted")
        self.state.backend.delete_lifecycle_hook(group, name)

    def describe(self, request: Request) -> object:
        """DescribeLifecycleHooks."""
        group = self.state.group(request.text("AutoScalingGroupName")).name
        found = self.state.backend.describe_lifecycle_hooks(group, request.texts("LifecycleHookNames"))
        return {"LifecycleHooks": found}

    def complete(self, request: Request) -> None:
        """CompleteLifecycleAction: anything but CONTINUE counts as ABANDON on AWS; here it is refused."""
        action = self._action(request)
        answer = request.text("LifecycleActionResult")
        if answer not in set(Result):
            raise ValidationError(f"Invalid LifecycleActionResult: {answer}. Valid values: CONTINUE, ABANDON")
        self.terminator.settle(action, Result(answer), f"Lifecycle Action Completed with {answer} Result")

    def heartbeat(self, request: Request) -> None:
        """RecordLifecycleActionHeartbeat: a full time-out more, within the global one."""
        self.state.actions.keep_alive(self._action(request), self.state.clock())

    def _action(self, request: Request) -> Action:
        group, hook = request.text("AutoScalingGroupName"), request.text("LifecycleHookName")
        self.state.group(group)
        instance_id, token = request.text("InstanceId"), request.text("LifecycleActionToken")
        action = self.state.actions.find(group, hook, instance_id, token)
        if action is None or action.deadline <= self.state.clock():
            named = f"token {token}" if token else f"instance ID {instance_id}"
            raise ValidationError(f"No active Lifecycle Action found with {named}")
        return action
