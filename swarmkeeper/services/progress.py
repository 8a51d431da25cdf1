"""What a membership step did."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId
from swarmkeeper.services.mover import Move

BEFORE_THE_SCHEDULE_S = 60.0
"""What is due earlier is looked at again by the same event, what is due later by the schedule's."""


def is_due_soon(at: float, now: float) -> bool:
    """Whether what is due then, in seconds since the epoch, is not left to the schedule."""
    return at <= now + BEFORE_THE_SCHEDULE_S


@dataclass(frozen=True, slots=True)
class Progress:
    """What a call did, for its one log line; `state` is None for a node that has no record."""

    node_id: NodeId
    state: NodeState | None
    detail: str
    moves: tuple[Move, ...] = ()
    more_to_do: bool = False
    """The step ended so that the function's time doesn't; the event must come again soon."""
    refused: str = ""
    """Why a silent node was not declared lost; a person must look."""
