"""Decides how the fleet's pools change. A decision is a value: what, why, what was wished, and what capped it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from swarmkeeper.domain.model import ContainerName, NodeId, PoolName, Role
from swarmkeeper.domain.placement.reasons import Rejection
from swarmkeeper.domain.scaling.fleet import FleetSeen
from swarmkeeper.domain.scaling.guards import (
    Cap,
    Guard,
    Guarded,
    cap_of_cooldown,
    caps_on_growth,
    caps_on_removal,
    grown,
    shrunk,
)
from swarmkeeper.domain.scaling.inputs import Json, inputs_of
from swarmkeeper.domain.scaling.need import Need, needs_of
from swarmkeeper.domain.scaling.policy import Policy, reserved_share
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolNodes
from swarmkeeper.domain.scaling.victims import Removable, removable
from swarmkeeper.domain.scaling.waiting import could_use, look_again_at

TOLD = 20
"""Unplaceable requests that are told one by one."""


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
            "guards": [guard.value for guard in self.guards],
            "reason": self.reason,
            "victims": [str(node) for node in self.victims],
            "reclaimed": [str(node) for node in self.reclaimed],
            "unplaceable": [
                {"name": str(name), "reason": rejection.reason.value, "detail": rejection.detail}
                for name, rejection in self.unplaceable[:TOLD]
            ],
            "unplaceable_count": len(self.unplaceable),
            "recheck_at": self.recheck_at,
            "dry_run": self.dry_run,
            "inputs": dict(self.inputs),
        }


def decide_fleet(
    snapshot: FleetSnapshot, policies: Mapping[PoolName, Policy], now: float
) -> tuple[ScalingDecision, ...]:
    """One decision for each pool, from what is observed and not from who asked: repeated triggers do no harm.

    Managers are only kept within their group's bounds. Pools in dry run are decided as if they acted; the others
    don't count on that. Raises InvalidExpression for a stored bad expression.
    """
    dry = frozenset(seen.name for seen in snapshot.pools if seen.dry_run)
    decided = _decided(FleetSeen(snapshot, policies, now, dry if len(dry) < len(snapshot.pools) else frozenset()))
    if dry and len(dry) < len(snapshot.pools):
        decided |= {n: d for n, d in _decided(FleetSeen(snapshot, policies, now)).items() if n in dry}
    return tuple(replace(decided[seen.name], dry_run=seen.dry_run) for seen in snapshot.pools)


def _decided(fleet: FleetSeen) -> dict[PoolName, ScalingDecision]:
    needs = needs_of(fleet)
    decided: dict[PoolName, ScalingDecision] = {}
    shrinking: list[PoolName] = []
    for name, pool in fleet.pools.items():
        if pool.seen.pool.role is Role.MANAGER:
            decided[name] = _kept_in_bounds(fleet, pool, None, "managers are not sized by demand")
        elif needs[name].grows:
            decided[name] = _grown(fleet, pool, needs[name])
        elif _bounded(fleet, pool).desired != pool.seen.group_desired:
            decided[name] = _kept_in_bounds(fleet, pool, needs[name], "brought within its bounds")
        elif name not in fleet.idle:
            shrinking.append(name)
        else:
            decided[name] = _kept_in_bounds(fleet, pool, needs[name], "decides only")
    for name, found in removable(fleet, shrinking).items():
        decided[name] = _shrunk(fleet, fleet.pools[name], needs[name], found)
    return decided


def _bounded(fleet: FleetSeen, pool: PoolNodes) -> Guarded:
    """The group as large as it is, but for its bounds, and for launches that will not come."""
    seen, limits = pool.seen, fleet.policies[pool.seen.name].limits
    if seen.group_desired < seen.group_min:
        return Guarded(seen.group_min, (Guard.MIN,))
    return grown(seen.group_desired, caps_on_growth(seen.group, seen.state, limits, fleet.now, pool.ceiling))


def _kept_in_bounds(fleet: FleetSeen, pool: PoolNodes, need: Need | None, reason: str) -> ScalingDecision:
    return _resized(fleet, pool, _bounded(fleet, pool), pool.seen.group_desired, reason, need)


def _grown(fleet: FleetSeen, pool: PoolNodes, need: Need) -> ScalingDecision:
    """Take back what drains and buy the rest, as far as the guards let us.

    When only taking back was needed, the group is left alone (its guards bound what is bought).
    """
    seen, limits = pool.seen, fleet.policies[pool.seen.name].limits
    wish = max(pool.base + need.shop.wanted, seen.group_min)
    caps = (*need.shop.with_budget(), *cap_of_cooldown(seen.group, seen.state, limits, fleet.now))
    held = grown(wish, caps)
    share = reserved_share(pool.ready)
    causes = ", ".join(f"{nodes} for {cause}" for cause, nodes in need.shop.causes.items())
    reason = f"{len(fleet.pending)} pending and a reserved share of {share:.2f} want {need.shop.wanted} more nodes"
    reason += f" ({causes})" if causes else ""
    if need.reclaimed:
        reason += f", {len(need.reclaimed)} taken back from draining"
    return _resized(fleet, pool, held, wish, reason, need)


def _shrunk(fleet: FleetSeen, pool: PoolNodes, need: Need, found: Removable) -> ScalingDecision:
    """Name the nodes that may go, none while anything waits that the pool could hold."""
    seen, limits = pool.seen, fleet.policies[pool.seen.name].limits
    share = f"reserved share {reserved_share(pool.ready):.2f}"
    caps = caps_on_removal(
        replace(seen.group, desired=pool.counted),
        seen.state,
        limits,
        fleet.now,
        draining=len(pool.draining),
        refreshing=seen.refreshing,
    )
    wish = pool.counted - len(found.nodes)
    waiting = could_use(fleet, pool, found)
    if waiting:
        held = Guarded(seen.group_desired, (Guard.PENDING,), fleet.now + limits.recheck_s)
        return _resized(fleet, pool, held, wish, f"{waiting} pending could use what might go", need)
    held = shrunk(wish, caps)
    chosen = found.nodes[: max(0, pool.counted - held.desired)]
    if not chosen and _may_replace(pool, found, caps):
        return _replaced(fleet, pool, need, found)
    if not found.nodes:
        held = Guarded(seen.group_desired, recheck_at=look_again_at(fleet, pool))
        return _resized(fleet, pool, held, seen.group_desired, f"fits: {share}", need)
    reason = f"{share}: {len(found.nodes)} of {len(pool.ready)} ready nodes are not needed"
    if not chosen:
        return _resized(fleet, pool, replace(held, desired=seen.group_desired), wish, reason, need)
    decision = _resized(fleet, pool, held, wish, reason, need)
    return replace(decision, direction=Direction.IN, victims=chosen)


def _may_replace(pool: PoolNodes, found: Removable, caps: Sequence[Cap]) -> bool:
    """Whether a node more would let an outdated one go: not while none may go, nor while one is on its way."""
    if any(cap.nodes >= pool.counted for cap in caps if cap.guard is not Guard.MIN):
        return False
    return len(found.replacing) > len(pool.joining) + len(pool.promised)


def _replaced(fleet: FleetSeen, pool: PoolNodes, need: Need, found: Removable) -> ScalingDecision:
    """Buy room for outdated nodes' containers; the nodes go once it is there."""
    more = len(found.replacing) - len(pool.joining) - len(pool.promised)
    need.market.buy(need.shop, more, "replacement")
    return _grown(fleet, pool, need)


def _resized(
    fleet: FleetSeen, pool: PoolNodes, held: Guarded, wish: int, reason: str, need: Need | None
) -> ScalingDecision:
    seen = pool.seen
    reclaimed = need.reclaimed if need else ()
    direction = Direction.NONE
    if held.desired < seen.group_desired:
        direction = Direction.IN
    elif held.desired > seen.group_desired or reclaimed:
        direction = Direction.OUT
    return ScalingDecision(
        pool=seen.name,
        direction=direction,
        desired=held.desired,
        wish=wish,
        reason=reason if held.capped_by is None else f"{reason}; capped by {', '.join(held.guards)}",
        capped_by=held.capped_by,
        reclaimed=reclaimed,
        unplaceable=need.unplaceable if need else (),
        recheck_at=held.recheck_at,
        trigger=fleet.snapshot.trigger,
        guards=held.guards,
        inputs=inputs_of(fleet, pool, need),
    )
