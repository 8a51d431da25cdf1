"""Guards: what limits a change of a pool's size, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from swarmkeeper.domain.scaling.state import ScalingState, free_at, within_window

TERMINATE = "Terminate"
"""The group's process without which it ends no instance."""


class Guard(StrEnum):
    """What capped a wish."""

    MIN = "min"
    MAX = "max"
    FAILED = "failed"
    """Too many launches in a row were abandoned."""
    UNAVAILABLE = "unavailable"
    """A launch has failed lately, such as for want of capacity."""
    SUSPENDED = "suspended"
    """The group's Launch or Terminate process is suspended."""
    REFRESH = "refresh"
    """An instance refresh of the group runs: nothing is removed meanwhile."""
    BUDGET = "budget"
    """The fleet's price per hour has a limit."""
    RATE = "rate"
    """At most so many nodes are bought within a window."""
    FUSE = "fuse"
    """At most so many nodes are removed within a window."""
    DRAINS = "drains"
    """At most so many nodes are drained at once."""
    OUT_COOLDOWN = "out-cooldown"
    IN_COOLDOWN = "in-cooldown"
    PENDING = "pending"
    """Nothing is removed while something waits that the pool could hold."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The guards' settings; durations in seconds."""

    out_cooldown_s: float = 60.0
    in_cooldown_s: float = 300.0
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
    recheck_s: float = 60.0
    """When to ask again where no guard knows a time of its own."""
    failed_retry_s: float = 900.0
    """How long a failed pool waits before one launch is tried again."""

    @property
    def memory_s(self) -> float:
        """How far back purchases and removals must be remembered."""
        return max(self.additions_window_s, self.removals_window_s)


@dataclass(frozen=True, slots=True)
class GroupSize:
    """An Auto Scaling group's numbers and its suspended processes."""

    min: int
    max: int
    desired: int
    suspended: frozenset[str] = frozenset()

    @property
    def held(self) -> int:
        """Its size as it stands, within its bounds: Auto Scaling would refuse anything else."""
        return min(max(self.desired, self.min), self.max)


@dataclass(frozen=True, slots=True)
class Cap:
    """How far a guard lets a pool go, and when it may let it go further; None when asking again is no use."""

    guard: Guard
    nodes: int
    again_at: float | None


@dataclass(frozen=True, slots=True)
class Guarded:
    """A desired capacity, and the guards that kept it from its wish: the one that binds first.

    `recheck_at` is set whenever a guard capped the wish, but for MIN: a pool at its minimum has no need.
    """

    desired: int
    guards: tuple[Guard, ...] = ()
    recheck_at: float | None = None

    @property
    def capped_by(self) -> Guard | None:
        return self.guards[0] if self.guards else None


def caps_on_growth(
    group: GroupSize, state: ScalingState, limits: Limits, now: float, ceiling: Cap | None = None
) -> tuple[Cap, ...]:
    """What bounds the group's growth, but for the cooldown and the price.

    `ceiling` is what a failed or unavailable pool may have at most; the group's minimum stands above it.
    """
    later = now + limits.recheck_s
    held = group.held if ceiling is None else max(group.min, min(group.held, ceiling.nodes))
    caps = [Cap(Guard.MAX, group.max, later)]
    if ceiling is not None:
        caps.append(Cap(ceiling.guard, max(group.min, ceiling.nodes), ceiling.again_at))
    if "Launch" in group.suspended:
        caps.append(Cap(Guard.SUSPENDED, held, later))
    if limits.additions_in_window is not None:
        left = max(0, limits.additions_in_window - within_window(state.bought, limits.additions_window_s, now))
        again = max(free_at(state.bought, limits.additions_window_s, now), now + limits.out_cooldown_s)
        caps.append(Cap(Guard.RATE, held + left, again))
    return tuple(caps)


def cap_of_cooldown(group: GroupSize, state: ScalingState, limits: Limits, now: float) -> tuple[Cap, ...]:
    """The cap on growth while the last growth is too young; none otherwise."""
    allowed_at = out_allowed_at(state, limits)
    return (Cap(Guard.OUT_COOLDOWN, group.held, allowed_at),) if now < allowed_at else ()


def caps_on_removal(
    group: GroupSize,
    state: ScalingState,
    limits: Limits,
    now: float,
    *,
    draining: int = 0,
    refreshing: bool = False,
) -> tuple[Cap, ...]:
    """What bounds the group's shrinking; `group.desired` is without the nodes that drain already."""
    later, held = now + limits.recheck_s, group.held
    caps = [Cap(Guard.MIN, group.min, None)]
    if TERMINATE in group.suspended:
        caps.append(Cap(Guard.SUSPENDED, held, later))
    if refreshing:
        caps.append(Cap(Guard.REFRESH, held, later))
    if now < (allowed_at := in_allowed_at(state, limits)):
        caps.append(Cap(Guard.IN_COOLDOWN, held, allowed_at))
    fuse = removals_left(state, limits, group.desired, now)
    if fuse is not None:
        again = max(free_at(state.removed, limits.removals_window_s, now), now + limits.in_cooldown_s)
        caps.append(Cap(Guard.FUSE, held - fuse, again))
    caps.append(Cap(Guard.DRAINS, held - max(0, limits.drains_at_once - draining), later))
    return tuple(caps)


def removals_left(state: ScalingState, limits: Limits, nodes: int, now: float) -> int | None:
    """How many of `nodes` may still be removed in this window; None where there is no limit."""
    removed = within_window(state.removed, limits.removals_window_s, now)
    allowed = [] if limits.removals_in_window is None else [limits.removals_in_window]
    if limits.removals_share is not None:
        at_start = max(0, nodes + removed - within_window(state.bought, limits.removals_window_s, now))
        allowed.append(max(1, int(at_start * limits.removals_share)))
    return max(0, min(allowed) - removed) if allowed else None


def grown(wish: int, caps: Sequence[Cap]) -> Guarded:
    """The most that may be had of a wish to grow, or to stay as large."""
    binding = sorted((cap for cap in caps if cap.nodes < wish), key=lambda cap: cap.nodes)
    return _guarded(wish, binding)


def shrunk(wish: int, caps: Sequence[Cap]) -> Guarded:
    """The least that may be had of a wish to shrink."""
    binding = sorted((cap for cap in caps if cap.nodes > wish), key=lambda cap: -cap.nodes)
    return _guarded(wish, binding)


def _guarded(wish: int, binding: Sequence[Cap]) -> Guarded:
    if not binding:
        return Guarded(wish)
    return Guarded(binding[0].nodes, tuple(cap.guard for cap in binding), binding[0].again_at)


def out_allowed_at(state: ScalingState, limits: Limits) -> float:
    """When the pool may grow again; 0 when it never grew."""
    return state.last_out_at + limits.out_cooldown_s if state.last_out_at else 0.0


def in_allowed_at(state: ScalingState, limits: Limits) -> float:
    """When the pool may shrink again: growing starts this cooldown too, or sizes would take turns."""
    last = max(state.last_in_at, state.last_out_at)
    return last + limits.in_cooldown_s if last else 0.0
