"""What the scaler remembers of a decision: cooldowns, windows, when to ask again, and what was told last."""

from __future__ import annotations

import json
from dataclasses import replace
from zlib import crc32

from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.snapshot import PoolSnapshot
from swarmkeeper.domain.scaling.state import ScalingState, with_change

TOLD_AGAIN_S = 3600.0
"""A decision that changes nothing, and says what the last one said, is told again after this time only."""


def after_decision(seen: PoolSnapshot, decision: ScalingDecision, limits: Limits, now: float) -> ScalingState:
    """The pool's state to be stored before the decision is acted on. A dry run starts no cooldown."""
    told = json.dumps(decision.to_log())
    state = replace(seen.state, recheck_at=decision.recheck_at, last_decision=told)
    if is_news(seen.state, decision, now):
        state = replace(state, recorded_at=now, recorded_as=_sense(decision))
    if decision.dry_run:
        return state
    bought = 0 if decision.victims else decision.desired - seen.group_desired
    if bought > 0:
        state = replace(state, bought=with_change(state.bought, bought, now=now, memory_s=limits.memory_s))
    if decision.victims:
        gone = len(decision.victims)
        state = replace(state, removed=with_change(state.removed, gone, now=now, memory_s=limits.memory_s))
    if decision.direction is Direction.OUT:
        state = replace(state, last_out_at=now)
    if decision.direction is Direction.IN:
        state = replace(state, last_in_at=now)
    return state


def after_failed_launch(state: ScalingState, limits: Limits, at: float) -> ScalingState:
    """The state after the group could not launch at that time; the same event again, or an older one, is no news."""
    until = at + limits.unavailable_s
    if state.unavailable_until is not None and state.unavailable_until >= until:
        return state
    return replace(state, unavailable_until=until)


def is_news(state: ScalingState, decision: ScalingDecision, now: float) -> bool:
    """Whether the decision is worth recording: it changes something, or says something else than the last one told."""
    if decision.direction is not Direction.NONE:
        return True
    return now >= state.recorded_at + TOLD_AGAIN_S or state.recorded_as != _sense(decision)


def _sense(decision: ScalingDecision) -> str:
    """What makes two decisions that change nothing equal; counts that only waver are left out."""
    parts = (
        decision.direction.value,
        str(decision.desired),
        str(decision.wish),
        ",".join(decision.guards),
        ",".join(name for name, _ in decision.unplaceable),
        str(decision.dry_run),
    )
    return f"{crc32(';'.join(parts).encode()):08x}"
