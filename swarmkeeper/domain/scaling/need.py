"""What a pool needs: nodes to take back from draining, and nodes to buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NO_RESOURCES, Node, NodeId, Request
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.filters import filters_of, first_rejection
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.wish import wish_of
from swarmkeeper.domain.scaling.demand import Demand, refusal, size
from swarmkeeper.domain.scaling.packing import shape
from swarmkeeper.domain.scaling.policy import Policy, usage
from swarmkeeper.domain.scaling.snapshot import Snapshot
from swarmkeeper.domain.scaling.victims import movable_requests


@dataclass(frozen=True, slots=True)
class Need:
    """`extra_nodes` more nodes hold the demand and bring the pool below its high share, once `reclaimed` are back."""

    extra_nodes: int
    demand: Demand
    reclaimed: tuple[NodeId, ...] = ()

    @property
    def gap(self) -> tuple[int, int]:
        """What a reclaimed node must make smaller."""
        return self.extra_nodes, len(self.demand.unplaceable)


def need_of(snapshot: Snapshot, policy: Policy) -> Need:
    """Size the demand; draining nodes are taken back, before any is bought, as far as each of them helps."""
    need = _need_with(snapshot, policy, ())
    for node in _reclaimable(snapshot):
        if need.gap == (0, 0):
            break
        attempt = _need_with(snapshot, policy, (*need.reclaimed, node.id))
        if attempt.gap < need.gap:
            need = attempt
    return need


def displaced(snapshot: Snapshot, kept: Sequence[NodeId] = ()) -> tuple[Request, ...]:
    """What the pool's draining nodes will hand on; `kept` ones keep theirs."""
    draining = (node for node in snapshot.nodes if node.state is NodeState.DRAINING and node.id not in kept)
    return tuple(
        request for node in draining for request in movable_requests(snapshot.containers_by_node.get(node.id, ()))
    )


def could_use(snapshot: Snapshot, options: PlacementOptions) -> tuple[Request, ...]:
    """The pending requests that an empty node of this pool, new or present, could hold: nothing goes meanwhile."""
    empties = [NodeFacts(replace(node, reserved=NO_RESOURCES, containers=0)) for node in snapshot.ready]
    answers: dict[object, bool] = {}
    for request in snapshot.pending:
        if shape(request) not in answers:
            new_one_would = refusal(request, snapshot.pool, options) is None
            answers[shape(request)] = new_one_would or _some_would_hold(request, empties, options)
    return tuple(request for request in snapshot.pending if answers[shape(request)])


def _some_would_hold(request: Request, nodes: Sequence[NodeFacts], options: PlacementOptions) -> bool:
    wish, filters = wish_of(request, options).hard_only(), filters_of(options)
    return any(first_rejection(node, wish, filters) is None for node in nodes)


def _reclaimable(snapshot: Snapshot) -> list[Node]:
    """Draining nodes with containers, least drained first.

    An empty one may have been ended this moment, and a container placed on it would be lost with it.
    """
    return sorted((n for n in snapshot.draining if n.containers), key=lambda n: (-n.containers, -n.state_since, n.id))


def _need_with(snapshot: Snapshot, policy: Policy, reclaimed: tuple[NodeId, ...]) -> Need:
    nodes = [replace(node, state=NodeState.READY) if node.id in reclaimed else node for node in snapshot.nodes]
    wanted = (*snapshot.pending, *displaced(snapshot, reclaimed))
    present = [snapshot.facts_of(node) for node in (*nodes, *snapshot.promised)]
    demand = size(wanted, present, snapshot.pool, policy.headroom, options=policy.options)
    ours = usage(node for node in demand.nodes if node.pool == snapshot.pool.name)
    widening = ours.nodes_to_get_below(policy.reserved_high, snapshot.pool)
    return Need(demand.extra_nodes + widening, demand, reclaimed)
