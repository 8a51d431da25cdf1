"""What a decision was made from, as plain values for its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swarmkeeper.domain.scaling.fleet import FleetSeen
from swarmkeeper.domain.scaling.need import Need
from swarmkeeper.domain.scaling.policy import reserved_share
from swarmkeeper.domain.scaling.snapshot import PoolNodes

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


def inputs_of(fleet: FleetSeen, pool: PoolNodes, need: Need | None) -> Mapping[str, Json]:
    """Counts, shares, floors and prices that a reader needs to follow the decision."""
    seen, policy = pool.seen, fleet.policies[pool.seen.name]
    inputs: dict[str, Json] = {
        "nodes": {
            "ready": len(pool.ready),
            "joining": len(pool.joining),
            "draining": len(pool.draining),
            "promised": len(pool.promised),
            "protected": sum(1 for node in pool.ready if node.protected or node.id in seen.protected),
        },
        "group": {"min": seen.group_min, "max": seen.group_max, "desired": seen.group_desired},
        "pending": len(fleet.pending),
        "reserved_share": round(reserved_share(pool.ready), 4),
        "reserved_high": policy.reserved_high,
        "reserved_low": policy.reserved_low,
        "suspended": sorted(seen.suspended),
        "refreshing": seen.refreshing,
        "floors": [_bound(each.nodes, each.source, each.reason) for each in seen.floors],
        "ceilings": [_bound(each.nodes, each.source, each.reason) for each in seen.ceilings],
        "silent": list(seen.silent),
        "unavailable_until": seen.state.unavailable_until if seen.is_unavailable(fleet.now) else None,
        "failed_since": seen.state.failed_since,
        "spare": [
            {"pieces": each.count, "nano_cpus": each.piece.nano_cpus, "memory_bytes": each.piece.memory_bytes}
            for each in policy.spares(seen.pool, seen.state)
        ],
    }
    if need is not None:
        inputs["bought_for"] = {cause: nodes for cause, nodes in need.shop.causes.items() if nodes}
        inputs["price_per_hour"] = {
            "node": seen.pool.price_per_hour,
            "fleet": round(need.market.price_per_hour, 6),
            "budget": policy.limits.budget_per_hour,
        }
    return inputs


def _bound(nodes: int, source: str, reason: str) -> Mapping[str, Json]:
    return {"nodes": nodes, "source": str(source), "reason": reason}
