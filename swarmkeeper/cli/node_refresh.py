"""What a refresh of a pool's group goes to, and at what pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RUNNING = frozenset({"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"})
SUCCESSFUL = "Successful"


@dataclass(frozen=True, slots=True)
class TemplateInUse:
    """The launch template version that a group launches from; `policy` is its mixed instances policy, if it has one."""

    id: str
    version: str
    data: Mapping[str, Any]
    policy: Mapping[str, Any] | None
    subnets: tuple[str, ...]
    members: tuple[str, ...]
    """The version that each of the group's instances was launched from."""

    def configuration(self, version: str) -> dict[str, Any]:
        """The desired configuration of a refresh to another version, and nothing else changed."""
        named = {"LaunchTemplateId": self.id, "Version": version}
        if self.policy is None:
            return {"LaunchTemplate": named}
        template = {**self.policy["LaunchTemplate"], "LaunchTemplateSpecification": named}
        return {"MixedInstancesPolicy": {**self.policy, "LaunchTemplate": template}}


@dataclass(frozen=True, slots=True)
class Pace:
    """How a refresh goes on."""

    max_healthy: int = 110
    checkpoints: tuple[int, ...] = ()
    checkpoint_delay_s: int = 600
    alarms: tuple[str, ...] = ()

    def preferences(self) -> dict[str, Any]:
        """Replacements serve first, protected instances go too, what matches already stays, failures roll back."""
        wanted: dict[str, Any] = {
            "MinHealthyPercentage": 100,
            "MaxHealthyPercentage": self.max_healthy,
            "ScaleInProtectedInstances": "Refresh",
            "SkipMatching": True,
            "AutoRollback": True,
        }
        if self.checkpoints:
            wanted |= {"CheckpointPercentages": list(self.checkpoints), "CheckpointDelay": self.checkpoint_delay_s}
        if self.alarms:
            wanted["AlarmSpecification"] = {"Alarms": list(self.alarms)}
        return wanted


def version_of(refresh: Mapping[str, Any]) -> str:
    """The template version that a refresh goes to; empty when it has no desired configuration."""
    wanted = refresh.get("DesiredConfiguration") or {}
    policy = wanted.get("MixedInstancesPolicy")
    named = policy["LaunchTemplate"]["LaunchTemplateSpecification"] if policy else wanted.get("LaunchTemplate") or {}
    return str(named.get("Version", ""))
