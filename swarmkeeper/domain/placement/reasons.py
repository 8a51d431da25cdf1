"""Why a node was refused, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The filter that refused; also the metric's dimension. In the order in which filters are asked."""

    ROLE = "role"
    STATE = "state"
    AVOIDED = "avoided"
    """The caller has just been refused by this node."""
    HEALTH = "health"
    CONTAINERSLOTS = "containerslots"
    CONSTRAINT = "constraint"
    RESOURCES = "resources"


@dataclass(frozen=True, slots=True)
class Rejection:
    """The first filter that refused a node, and what it missed."""

    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
