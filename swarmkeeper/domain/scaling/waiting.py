"""What waits that a pool could hold: nothing of the pool goes meanwhile."""

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


def _could(request: Request, fleet: FleetSeen, pool: PoolNodes, empties: Sequence[NodeFacts]) -> bool:
    if refusal(request, pool.seen.pool, fleet.options) is None:
        return True
    wish, filters = wish_of(request, fleet.options).hard_only(), filters_of(fleet.options)
    return any(first_rejection(node, wish, filters) is None for node in empties)
