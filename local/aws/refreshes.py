"""Instance refreshes as Auto Scaling tells of them: begun, running, cancelled. They replace no instance here."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.responses import AutoScalingResponse

from local.aws.autoscaling_state import State
from local.aws.events import utc
from local.aws.patching import Gate, Patches, Request, as_action

RUNNING = "InProgress"


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh; the field names are what moto's serialiser looks for."""

    instance_refresh_id: str
    auto_scaling_group_name: str
    status: str
    start_time: datetime
    percentage_complete: int
    instances_to_update: int
    end_time: datetime | None = None
    status_reason: str | None = None


@dataclass(slots=True)
class Refreshes:
    """The refreshes of all groups, in the order in which they began; the gate holds the groups' lock."""

    state: State
    gate: Gate
    _kept: list[Refresh] = field(default_factory=list)

    def install(self, patches: Patches) -> None:
        """Serve the actions, which moto lacks, from its response class."""
        handlers: dict[str, Callable[[Request], object]] = {
            "start_instance_refresh": self.start,
            "cancel_instance_refresh": self.cancel,
            "describe_instance_refreshes": self.describe,
        }
        for name, handler in handlers.items():
            patches.replace(AutoScalingResponse, name, as_action(self.gate.held(handler)))

    def start(self, request: Request) -> object:
        """StartInstanceRefresh: one at a time a group; it runs until it is cancelled."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        if self._running(group.name) is not None:
            raise AutoscalingClientError("InstanceRefreshInProgress", "An Instance Refresh is already in progress")
        count = len(self.state.counted(group.name))
        begun = Refresh(str(uuid.uuid4()), group.name, RUNNING, utc(self.state.clock()), 0, count)
        self._kept.append(begun)
        return {"InstanceRefreshId": begun.instance_refresh_id}

    def cancel(self, request: Request) -> object:
        """CancelInstanceRefresh: at once, while AWS waits for an instance that is being replaced."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        running = self._running(group.name)
        if running is None:
            raise AutoscalingClientError(
                "ActiveInstanceRefreshNotFound", f"No in progress or pending Instance Refresh found for {group.name}"
            )
        ended = replace(
            running, status="Cancelled", end_time=utc(self.state.clock()), status_reason="Cancelled by user"
        )
        self._kept[self._kept.index(running)] = ended
        return {"InstanceRefreshId": ended.instance_refresh_id}

    def describe(self, request: Request) -> object:
        """DescribeInstanceRefreshes: newest first, 50 a page unless fewer are asked for."""
        group = self.state.group(request.text("AutoScalingGroupName"))
        ids = request.texts("InstanceRefreshIds")
        found = [
            one
            for one in reversed(self._kept)
            if one.auto_scaling_group_name == group.name and (not ids or one.instance_refresh_id in ids)
        ]
        start = int(request.text("NextToken") or 0)
        end = start + (request.number("MaxRecords") or 50)
        return {"InstanceRefreshes": found[start:end], "NextToken": str(end) if end < len(found) else None}

    def _running(self, group: str) -> Refresh | None:
        return next((one for one in self._kept if one.auto_scaling_group_name == group and one.status == RUNNING), None)
