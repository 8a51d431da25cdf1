"""Decides how a pool changes. A decision is a value: what, why, what was wished, and what capped it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from swarmkeeper.domain.model import ContainerName, NodeId, PoolName, Role
from swarmkeeper.domain.placement.reasons import Rejection
from swarmkeeper.domain.scaling.failures import ceiling_while_failed
from swarmkeeper.domain.scaling.guards import Guard, Guarded, clamp
from swarmkeeper.domain.scaling.need import Need, could_use, displaced, need_of
from swarmkeeper.domain.scaling.packing import in_packing_order, pack
from swarmkeeper.domain.scaling.policy import Policy, reserved_share
from swarmkeeper.domain.scaling.snapshot import Snapshot
from swarmkeeper.domain.scaling.victims import victims

__all__ = ["Direction", "ScalingDecision", "Snapshot", "decide_pool"]


Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


class Direction(StrEnum):
    """Where a pool's size goes."""

    OUT = "out"
    IN = "in"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """What to do with a pool.

    With victims, `desired` is what the group comes to as they are drained and ended one by one; it must not be
    set ahead of that. Without, the group is set to `desired` where it differs. `reclaimed` go from draining back
    to ready first. `wish` is the size without any guard. `recheck_at` is when to ask again, whatever happens.
    """

    pool: PoolName
    direction: Direction
    desired: int
    wish: int
    reason: str
    capped_by: Guard | None = None
    victims: tuple[NodeId, ...] = ()
    reclaimed: tuple[NodeId, ...] = ()
    unplaceable: tuple[tuple[ContainerName, Rejection], ...] = ()
    recheck_at: float | None = None
    trigger: str = ""
    guards: tuple[Guard, ...] = ()
    """All that capped the wish; `capped_by` is the first of them."""
    dry_run: bool = False
    """Whether this is decided and recorded only."""
    inputs: Mapping[str, Json] = field(default_factory=dict)
    """What it was decided from: counts, shares, floors, headroom, cost."""

    def to_log(self) -> dict[str, object]:
        """The decision as plain values, for one log line and for the table."""
        return {
            "pool": str(self.pool),
            "trigger": self.trigger,
            "direction": self.direction.value,
            "desired": self.desired,
            "wish": self.wish,
            "capped_by": self.capped_by.value if self.capped_by else None,
            "reason": self.reason,
            "victims": [str(node) for node in self.victims],
            "reclaimed": [str(node) for node in self.reclaimed],
            "unplaceable": len(self.unplaceable),
            "recheck_at": self.recheck_at,
            "guards": [guard.value for guard in self.guards],
            "dry_run": self.dry_run,
            "inputs": dict(self.inputs),
        }


def decide_pool(snapshot: Snapshot, policy: Policy, now: float) -> ScalingDecision:
    """Decide from what is observed, not from who asked, so that a repeated or late trigger does no harm.

    Managers are only kept within their group's bounds. Raises InvalidExpression for a stored bad expression.
    """
    if snapshot.pool.role is Role.MANAGER:
        held = clamp(snapshot.group_desired, snapshot.group, snapshot.state, policy.limits, now)
        return _resized(snapshot, held, snapshot.group_desired, "managers are not sized by demand")
    need = need_of(snapshot, policy)
    if need.extra_nodes or need.reclaimed:
        return _grow(snapshot, policy, need, now)
    held = _clamped(snapshot, policy, snapshot.group_desired, now)
    if held.desired != snapshot.group_desired:
        return _resized(snapshot, held, snapshot.group_desired, "brought within its bounds", need)
    return _shrink(snapshot, policy, need, now)


def _clamped(snapshot: Snapshot, policy: Policy, wish: int, now: float) -> Guarded:
    ceiling = ceiling_while_failed(
        snapshot.state,
        in_service=len(snapshot.ready) + snapshot.draining_in_desired,
        joining=len(snapshot.joining),
        retry_s=policy.limits.failed_retry_s,
        now=now,
    )
    return clamp(wish, snapshot.group, snapshot.state, policy.limits, now, ceiling)


def _grow(snapshot: Snapshot, policy: Policy, need: Need, now: float) -> ScalingDecision:
    """Take back what drains and buy the rest, as far as the guards let us.

    When only taking back was needed, the group is left alone (its guards bound what is bought).
    """
    wish = max(snapshot.group_desired, snapshot.in_group) + need.extra_nodes
    if snapshot.state.failed_since is not None:
        wish = snapshot.in_group + need.extra_nodes
    held = _clamped(snapshot, policy, wish, now)
    share = reserved_share(snapshot.ready)
    reason = f"{len(snapshot.pending)} pending and a reserved share of {share:.2f} want {need.extra_nodes} more nodes"
    if need.reclaimed:
        reason += f", {len(need.reclaimed)} taken back from draining"
    return _resized(snapshot, held, wish, reason, need)


def _shrink(snapshot: Snapshot, policy: Policy, need: Need, now: float) -> ScalingDecision:
    """Name the nodes that may go, none while anything waits that the pool could hold."""
    removable = _removable(snapshot, policy)
    counted = snapshot.group_desired - snapshot.draining_in_desired
    wish = counted - len(removable)
    share = f"reserved share {reserved_share(snapshot.ready):.2f}"
    if not removable:
        return _resized(snapshot, Guarded(snapshot.group_desired), snapshot.group_desired, f"fits: {share}", need)
    waiting = could_use(snapshot, policy.options)
    if waiting:
        held = Guarded(snapshot.group_desired, Guard.PENDING, now + policy.limits.recheck_s)
        return _resized(snapshot, held, wish, f"{len(waiting)} pending could use what might go", need)
    held = clamp(wish, replace(snapshot.group, desired=counted), snapshot.state, policy.limits, now)
    chosen = removable[: max(0, counted - held.desired)]
    reason = f"{share}: {len(removable)} of {len(snapshot.ready)} ready nodes are not needed"
    if not chosen:
        return _resized(snapshot, replace(held, desired=snapshot.group_desired), wish, reason, need)
    decision = _resized(snapshot, held, wish, reason, need)
    return replace(decision, direction=Direction.IN, victims=chosen)


def _removable(snapshot: Snapshot, policy: Policy) -> tuple[NodeId, ...]:
    """Victims, once what draining nodes still hand on has its room; none while it has not."""
    moving = in_packing_order(displaced(snapshot), snapshot.pool.node_capacity)
    packing = pack(moving, [snapshot.facts_of(node) for node in snapshot.nodes], options=policy.options)
    if packing.left:
        return ()
    return victims(packing.nodes, snapshot.containers_by_node, snapshot.pool, policy)


def _resized(snapshot: Snapshot, held: Guarded, wish: int, reason: str, need: Need | None = None) -> ScalingDecision:
    reclaimed = need.reclaimed if need else ()
    direction = Direction.NONE
    if held.desired < snapshot.group_desired:
        direction = Direction.IN
    elif held.desired > snapshot.group_desired or reclaimed:
        direction = Direction.OUT
    return ScalingDecision(
        pool=snapshot.pool.name,
        direction=direction,
        desired=held.desired,
        wish=wish,
        reason=reason if held.capped_by is None else f"{reason}; capped by {held.capped_by}",
        capped_by=held.capped_by,
        reclaimed=reclaimed,
        unplaceable=need.demand.unplaceable if need else (),
        recheck_at=held.recheck_at,
        trigger=snapshot.trigger,
    )
