"""What the scaler remembers of a pool between decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swarmkeeper.domain.model import NodeId, PoolName
from swarmkeeper.domain.scaling.arrivals import NO_ARRIVALS, ArrivalPeak

REMEMBERED = 64
"""Changes of one direction that are kept: more are told together, as if they had been as late as the last of them."""

Changes = tuple[tuple[float, int], ...]
"""When how many nodes, oldest first."""


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
    recorded_at: float = 0.0
    """When a decision was last put into the history."""
    recorded_as: str = ""
    """What that decision said, in short."""
    bought: Changes = ()
    """When how many nodes were bought: no more than the longest window needs, oldest first."""
    removed: Changes = ()
    """When how many nodes were sent away, likewise."""
    unavailable_until: float | None = None
    """Until when no launch is tried after one failed, such as for want of capacity."""
    arrivals: ArrivalPeak = NO_ARRIVALS
    """What has lately arrived within one boot time, for the headroom that follows arrivals."""


def within_window(changes: Iterable[tuple[float, int]], window_s: float, now: float) -> int:
    """How many nodes the changes of the last `window_s` were about."""
    return sum(nodes for at, nodes in changes if at > now - window_s)


def free_at(changes: Iterable[tuple[float, int]], window_s: float, now: float) -> float:
    """When the window next loses a change; a window from now when it has none."""
    return min((at for at, _ in changes if at > now - window_s), default=now) + window_s


def with_change(changes: Changes, nodes: int, *, now: float, memory_s: float) -> Changes:
    """The changes with one more, those left out that are older than `memory_s`."""
    kept = [*(each for each in changes if each[0] > now - memory_s), (now, nodes)]
    if len(kept) > REMEMBERED:  # the oldest two as one: later than the truth, so that a guard is rather too strict
        (_, first), (at, second), *rest = kept
        kept = [(at, first + second), *rest]
    return tuple(kept)
