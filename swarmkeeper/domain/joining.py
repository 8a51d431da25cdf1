"""How long each step of a join may take, and how joins of many nodes are spread."""

from __future__ import annotations

from dataclasses import dataclass

TRIES = 2
"""How often a step that fails is taken before the join is given up."""
AT_ONCE = 5
"""So many nodes may join at the same moment without anybody noticing."""
SPREAD_A_NODE_S = 0.2
"""What each node beyond those adds to the time that joins are spread over: a manager takes in some nodes a second."""
SPREAD_AGAIN_S = 5
"""A failed join is tried again within this time, not at the moment at which others' are."""
SPREAD_MOST_S = 30


@dataclass(frozen=True, slots=True)
class JoinLimits:
    """Seconds that each step may take; the pool's launch limit bounds them all together."""

    agent_s: float = 300.0
    """From the launch until Systems Manager's agent takes a command."""
    certificate_s: float = 540.0
    """The first command, which waits for the user data: a stock image installs the engine first."""
    join_s: float = 300.0
    ready_s: float = 90.0
    """From the end of the join command until the Swarm shows the node ready and its engine answers."""
    image_s: float = 600.0
    """One image's pull."""


NORMAL_LIMITS = JoinLimits()


def spread_s(joining: int, attempt: int) -> int:
    """Within how many seconds a node picks the moment of its join, when so many nodes are joining."""
    crowd = max(0, joining - AT_ONCE) * SPREAD_A_NODE_S
    return round(min(SPREAD_MOST_S, max(crowd, SPREAD_AGAIN_S if attempt > 1 else 0)))
