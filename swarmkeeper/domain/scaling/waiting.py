"""What waits: requests that a pool could hold, while which nothing of it goes, and nodes whose time has yet to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from swarmkeeper.domain.model import NO_RESOURCES, Request
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.filters import filters_of, first_rejection
from swarmkeeper.domain.placement.wish import wish_of
from swarmkeeper.domain.scaling.demand import refusal
from swarmkeeper.domain.scaling.fleet import FleetSeen
from swarmkeeper.domain.scaling.packing import shape
from swarmkeeper.domain.scaling.snapshot import PoolNodes
from swarmkeeper.domain.scaling.victims import Removable

IMAGE_RECHECK_S = 3600.0
"""How often a pool is looked at whose nodes are replaced when their machine image changes."""


def could_use(fleet: FleetSeen, pool: PoolNodes, found: Removable) -> int:
    """How many pending requests the pool could hold: now, or on a new node, or on one that might go, were it empty."""
    going = found.nodes
    if not going:
        return 0
    empties = [NodeFacts(replace(node, reserved=NO_RESOURCES, containers=0)) for node in pool.ready if node.id in going]
    answers: dict[object, bool] = {}
    for request in fleet.pending:
        if shape(request) not in answers:
            answers[shape(request)] = _could(request, fleet, pool, empties)
    return sum(request.name in found.fitting or answers[shape(request)] for request in fleet.pending)


def look_again_at(fleet: FleetSeen, pool: PoolNodes) -> float | None:
    """When time alone may let a node of the pool go that is needed now; None when it won't: no alarm would tell."""
    policy, now = fleet.policies[pool.seen.name], fleet.now
    times = []
    if policy.arrival_headroom is not None and any(not node.containers for node in pool.ready):
        times.append(now + policy.limits.recheck_s)  # what is remembered of arrivals decays
    for age_s in (policy.max_node_age_s, policy.max_lifetime_s):
        expiries = [] if age_s is None else [node.created_at + age_s for node in pool.ready]
        times += [at if at > now else now + policy.limits.recheck_s for at in expiries]
    if policy.image_id is not None:
        times.append(now + IMAGE_RECHECK_S)
    return min(times, default=None)


def _could(request: Request, fleet: FleetSeen, pool: PoolNodes, empties: Sequence[NodeFacts]) -> bool:
    if refusal(request, pool.seen.pool, fleet.options) is None:
        return True
    wish, filters = wish_of(request, fleet.options).hard_only(), filters_of(fleet.options)
    return any(first_rejection(node, wish, filters) is None for node in empties)
