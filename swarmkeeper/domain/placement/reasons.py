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
    PORT = "port"
    CONTAINERSLOTS = "containerslots"
    DEPENDENCY = "dependency"
    AFFINITY = "affinity"
    CONSTRAINT = "constraint"
    WHITELIST = "whitelist"
    RESOURCES = "resources"


@dataclass(frozen=True, slots=True)
class Rejection:
    """The first filter that refused a node, and what it missed.

    `what` is what all nodes have in common that miss the same: the expression, the port, the resource.
    """

    reason: Reason
    detail: str
    what: str = ""

    @property
    def kind(self) -> str:
        """What nodes are counted under, such as `memory` or `constraint storage==ssd`."""
        if self.reason is Reason.RESOURCES:
            return self.what or self.reason.value
        return f"{self.reason} {self.what}".rstrip()

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
