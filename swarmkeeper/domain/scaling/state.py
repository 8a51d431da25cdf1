"""What the scaler remembers of a pool between decisions."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.model import NodeId, PoolName


@dataclass(frozen=True, slots=True)
class ScalingState:
    """Cooldowns, a due recheck and failures of one pool; times in seconds since the epoch, 0 for never."""

    pool: PoolName
    version: int = 0
    last_out_at: float = 0.0
    last_in_at: float = 0.0
    recheck_at: float | None = None
    """When the schedule must ask again, because a decision was clamped, deferred or met in part."""
    abandoned_in_a_row: int = 0
    abandoned_nodes: tuple[NodeId, ...] = ()
    """The last nodes counted in `abandoned_in_a_row`, so that an event delivered twice counts once."""
    failed_since: float | None = None
    """Set when too many launches in a row were abandoned; the pool is not grown while it stands."""
    last_decision: str = ""
    """The last decision as JSON, for people."""
    bought: tuple[tuple[float, int], ...] = ()
    """When how many nodes were bought: no more than the longest window needs, oldest first."""
    removed: tuple[tuple[float, int], ...] = ()
    """When how many nodes were sent away, likewise."""
    unavailable_until: float | None = None
    """Until when no launch is tried after one failed, such as for want of capacity."""
