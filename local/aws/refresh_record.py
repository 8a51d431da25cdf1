"""One instance refresh: what DescribeInstanceRefreshes tells of it, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from moto.ec2.models.launch_templates import LaunchTemplateVersion

from local.aws.refresh_rules import Preferences


class Status(StrEnum):
    """AWS's states of a refresh, but for Baking."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    ROLLING_BACK = "RollbackInProgress"
    ROLLED_BACK = "RollbackSuccessful"
    ROLLBACK_FAILED = "RollbackFailed"


RUNNING = frozenset({Status.PENDING, Status.IN_PROGRESS, Status.CANCELLING, Status.ROLLING_BACK})


@dataclass(slots=True)
class Refresh:
    """One refresh; the public names without a comment are what moto's serialiser looks for."""

    instance_refresh_id: str
    auto_scaling_group_name: str
    status: Status
    start_time: datetime
    percentage_complete: int
    instances_to_update: int
    rules: Preferences
    """The preferences, checked."""
    target: LaunchTemplateVersion | None
    """What new instances use; None: what the group says."""
    total: int
    """How many instances are to be replaced in all."""
    left_alone: set[str]
    """Instances that are not replaced: they match, or are protected and to be ignored."""
    since: float
    """When an old instance had ended, or a new one was in service, last."""
    old: set[str]
    """Which instances are still to be replaced, those that are ending included."""
    preferences: dict[str, Any] = field(default_factory=dict)
    desired_configuration: dict[str, Any] | None = None
    rollback_details: dict[str, Any] | None = None
    end_time: datetime | None = None
    status_reason: str | None = None
    passed: int = 0
    """How many checkpoints were reached."""
    paused_until: float = 0.0
    served: dict[str, float] = field(default_factory=dict)
    """When each new instance was first seen in service."""
