"""What an instance refresh may do: its preferences as AWS checks them, and how many instances at once. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ON_PROTECTED = ("Refresh", "Ignore", "Wait")
MAX_DELAY_S = 172_800
UNEMULATED = ("BakeTime", "StandbyInstances")
WAIT_LIMIT_S = 3600.0
"""How long a refresh waits for the instance that must be there, or unprotected, before it goes on; then it fails."""


class RefreshFault(Exception):
    """Preferences that AWS refuses, or that aren't emulated."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """RefreshPreferences with AWS's defaults."""

    min_healthy: int = 90
    max_healthy: int = 100
    warmup_s: float = 0.0
    checkpoints: tuple[int, ...] = ()
    checkpoint_delay_s: float = 3600.0
    skip_matching: bool = False
    auto_rollback: bool = False
    on_protected: str = "Wait"
    alarms: tuple[str, ...] = ()

    @property
    def launches_first(self) -> bool:
        """Whether a replacement comes into service before its predecessor is told to end."""
        return self.max_healthy > 100

    def at_once(self, desired: int) -> int:
        """How many instances of a group of that size are replaced side by side; one at least."""
        if self.launches_first:
            return max(1, desired * self.max_healthy // 100 - desired)
        return max(1, desired - math.ceil(desired * self.min_healthy / 100))


def preferences_of(given: Mapping[str, Any], default_warmup_s: float) -> Preferences:
    """Preferences as a request gives them. Raises RefreshFault."""
    for name in UNEMULATED:
        if given.get(name) not in (None, 0, "0", "Wait"):
            raise RefreshFault(f"{name} is not emulated")
    low, high = int(given.get("MinHealthyPercentage", 90)), int(given.get("MaxHealthyPercentage", 100))
    checkpoints = tuple(int(each) for each in given.get("CheckpointPercentages") or ())
    found = Preferences(
        min_healthy=low,
        max_healthy=high,
        warmup_s=float(given.get("InstanceWarmup", default_warmup_s)),
        checkpoints=checkpoints,
        checkpoint_delay_s=float(given.get("CheckpointDelay", 3600)),
        skip_matching=_flag(given.get("SkipMatching")),
        auto_rollback=_flag(given.get("AutoRollback")),
        on_protected=str(given.get("ScaleInProtectedInstances", "Wait")),
        alarms=tuple(str(each) for each in (given.get("AlarmSpecification") or {}).get("Alarms") or ()),
    )
    fault = _percentage_fault(given, found) or _checkpoint_fault(given, found)
    if found.on_protected not in ON_PROTECTED:
        fault = f"ScaleInProtectedInstances must be one of {', '.join(ON_PROTECTED)}"
    if fault:
        raise RefreshFault(fault)
    return found


def _percentage_fault(given: Mapping[str, Any], found: Preferences) -> str | None:
    if not (0 <= found.min_healthy <= 100 and 100 <= found.max_healthy <= 200):
        return "MinHealthyPercentage is from 0 to 100, MaxHealthyPercentage from 100 to 200"
    if "MaxHealthyPercentage" in given and "MinHealthyPercentage" not in given:
        return "MaxHealthyPercentage needs MinHealthyPercentage"
    if found.max_healthy - found.min_healthy > 100:
        return "MaxHealthyPercentage and MinHealthyPercentage must not be more than 100 apart"
    return None


def _checkpoint_fault(given: Mapping[str, Any], found: Preferences) -> str | None:
    points = found.checkpoints
    if "CheckpointDelay" in given and not points:
        return "CheckpointDelay needs CheckpointPercentages"
    if not 0 <= found.checkpoint_delay_s <= MAX_DELAY_S:
        return f"CheckpointDelay is from 0 to {MAX_DELAY_S}"
    if any(not 1 <= each <= 100 for each in points) or list(points) != sorted(set(points)):
        return "CheckpointPercentages are from 1 to 100, each once, in ascending order"
    return None


def _flag(value: object) -> bool:
    """A flag within a structure, which the query protocol carries as text."""
    return value is True or str(value).lower() == "true"
