"""Guards: what limits a change of a pool's size, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarmkeeper.domain.scaling.state import ScalingState


class Guard(StrEnum):
    """What capped a wish."""

    MIN = "min"
    MAX = "max"
    OUT_COOLDOWN = "out-cooldown"
    IN_COOLDOWN = "in-cooldown"
    RATE = "rate"
    """At most so many nodes are bought in one decision."""
    FUSE = "fuse"
    """At most so many nodes are removed in one decision."""
    FAILED = "failed"
    """Too many launches in a row were abandoned."""
    SUSPENDED = "suspended"
    """The group's Launch or Terminate process is suspended."""
    PENDING = "pending"
    """Nothing is removed while something waits that the pool could hold."""
    BUDGET = "budget"
    """The fleet's price per hour has a limit."""
    UNAVAILABLE = "unavailable"
    """A launch has failed lately, such as for want of capacity."""
    REFRESH = "refresh"
    """An instance refresh of the group runs: nothing is removed meanwhile."""
    DRAINS = "drains"
    """At most so many nodes are drained at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The guards' settings; durations in seconds, `max_additions` None for no limit."""

    out_cooldown_s: float = 60.0
    in_cooldown_s: float = 300.0
    max_removals: int = 1
    max_additions: int | None = None
    recheck_s: float = 60.0
    """When to ask again where no guard knows a time of its own."""
    failed_retry_s: float = 900.0
    """How long a failed pool waits before one launch is tried again."""
    additions_in_window: int | None = None
    """At most so many nodes are bought within `additions_window_s`; None for no limit."""
    additions_window_s: float = 300.0
    removals_in_window: int | None = 1
    """At most so many nodes are removed within `removals_window_s`; None for no limit."""
    removals_share: float | None = None
    """At most this share (0 to 1) of the nodes at the window's start, but one at least; None for no limit."""
    removals_window_s: float = 300.0
    drains_at_once: int = 5
    budget_per_hour: float | None = None
    """What all pools of workers together may cost; nothing that exceeds it is bought. None for no limit."""
    unavailable_s: float = 600.0
    """For how long a pool counts as unavailable after a failed launch."""


@dataclass(frozen=True, slots=True)
class GroupSize:
    """An Auto Scaling group's numbers and its suspended processes."""

    min: int
    max: int
    desired: int
    suspended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Guarded:
    """A desired capacity within the group's bounds.

    `recheck_at` is set whenever a guard capped the wish, but for MIN: a pool at its minimum has no need.
    """

    desired: int
    capped_by: Guard | None = None
    recheck_at: float | None = None


def clamp(
    wish: int, group: GroupSize, state: ScalingState, limits: Limits, now: float, ceiling: int | None = None
) -> Guarded:
    """The nearest that may be had of the wish now.

    `ceiling` is what a failed pool may have at most. The result is always within [min, max], whatever the
    cooldowns: Auto Scaling would refuse anything else.
    """
    bounded = min(max(wish, group.min), group.max)
    if ceiling is not None and bounded > max(ceiling, group.min):
        retry_at = (state.failed_since or now) + limits.failed_retry_s
        held = max(ceiling, group.min)
        return Guarded(held, Guard.FAILED, retry_at if retry_at > now else now + limits.recheck_s)
    held = min(max(group.desired, group.min), group.max)
    if ceiling is not None:  # launches that will not come are given up at once, whatever the cooldown
        held = min(held, max(ceiling, group.min))
    capped = _capped(bounded, held, group, state, limits, now)
    if capped is not None:
        return capped
    if bounded == wish:
        return Guarded(bounded)
    return Guarded(bounded, Guard.MAX, now + limits.recheck_s) if bounded < wish else Guarded(bounded, Guard.MIN)


def _capped(
    bounded: int, held: int, group: GroupSize, state: ScalingState, limits: Limits, now: float
) -> Guarded | None:
    """What the guards in time and number make of a bounded wish; None when they let it pass."""
    if bounded > held:
        return _capped_growth(bounded, held, group, state, limits, now)
    if bounded < held:
        return _capped_shrinking(bounded, held, group, state, limits, now)
    return None


def _capped_growth(
    bounded: int, held: int, group: GroupSize, state: ScalingState, limits: Limits, now: float
) -> Guarded | None:
    if "Launch" in group.suspended:
        return Guarded(held, Guard.SUSPENDED, now + limits.recheck_s)
    allowed_at = out_allowed_at(state, limits)
    if now < allowed_at:
        return Guarded(held, Guard.OUT_COOLDOWN, allowed_at)
    if limits.max_additions is not None and bounded - held > limits.max_additions:
        return Guarded(held + limits.max_additions, Guard.RATE, now + max(limits.out_cooldown_s, 1.0))
    return None


def _capped_shrinking(
    bounded: int, held: int, group: GroupSize, state: ScalingState, limits: Limits, now: float
) -> Guarded | None:
    if "Terminate" in group.suspended:
        return Guarded(held, Guard.SUSPENDED, now + limits.recheck_s)
    allowed_at = in_allowed_at(state, limits)
    if now < allowed_at:
        return Guarded(held, Guard.IN_COOLDOWN, allowed_at)
    if held - bounded > limits.max_removals:
        return Guarded(held - limits.max_removals, Guard.FUSE, now + max(limits.in_cooldown_s, 1.0))
    return None


def out_allowed_at(state: ScalingState, limits: Limits) -> float:
    """When the pool may grow again; 0 when it never grew."""
    return state.last_out_at + limits.out_cooldown_s if state.last_out_at else 0.0


def in_allowed_at(state: ScalingState, limits: Limits) -> float:
    """When the pool may shrink again: growing starts this cooldown too, or sizes would take turns."""
    last = max(state.last_in_at, state.last_out_at)
    return last + limits.in_cooldown_s if last else 0.0
