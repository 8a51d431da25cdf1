"""Which nodes may go: empty ones first, then those whose movable containers fit elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId, Pool, Request
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.scaling.packing import in_packing_order, pack
from swarmkeeper.domain.scaling.policy import Policy, reserved_share

TRIES = 50
"""Candidates proven in one decision: more than any fuse lets go, few enough for a fleet of thousands."""

ContainersByNode = Mapping[NodeId, Sequence[Container]]


def victims(
    nodes: Sequence[NodeFacts], containers_by_node: ContainersByNode, pool: Pool, policy: Policy
) -> tuple[NodeId, ...]:
    """The pool's nodes that could go, in the order in which they should, each proven with those before gone.

    An empty node may go whenever the others stay below `reserved_high` and keep the headroom; one that has
    containers only while the pool's share is below `reserved_low`, all of them are movable, and the same code
    that places finds them room on the nodes that remain.
    """
    remaining = tuple(facts for facts in nodes if facts.state is NodeState.READY)
    ours = [facts.node for facts in remaining if facts.node.pool == pool.name]
    empty = sorted((node for node in ours if is_empty(node, containers_by_node)), key=_oldest)
    emptiable: list[Node] = []
    if reserved_share(ours) < policy.reserved_low:
        emptiable = sorted((n for n in ours if is_emptiable(n, containers_by_node)), key=_least_work)
    chosen: list[NodeId] = []
    for candidate in chain(empty[:TRIES], emptiable[:TRIES]):
        without = _without(candidate, remaining, containers_by_node, pool, policy)
        if without is not None:
            remaining = without
            chosen.append(candidate.id)
    return tuple(chosen)


def is_empty(node: Node, containers_by_node: ContainersByNode) -> bool:
    """Whether neither the node's totals nor the listing knows a container on it."""
    return node.containers == 0 and not containers_by_node.get(node.id)


def is_emptiable(node: Node, containers_by_node: ContainersByNode) -> bool:
    """Whether every container of the node can be moved now, or is being removed.

    Unknown containers (the listing lags behind the totals) count as unmovable; so do those that are just
    being created or moved.
    """
    containers = containers_by_node.get(node.id, ())
    if not containers or len(containers) != node.containers:
        return False
    return all(container.state is ContainerState.REMOVING or is_movable(container) for container in containers)


def is_movable(container: Container) -> bool:
    """Whether the container runs, may be moved, and no move of it has begun."""
    return container.request.movable and container.state is ContainerState.RUNNING and container.moving_to is None


def movable_requests(containers: Sequence[Container]) -> tuple[Request, ...]:
    """What needs room elsewhere when these containers' node is drained."""
    return tuple(container.request for container in containers if is_movable(container))


def _without(
    candidate: Node, remaining: Sequence[NodeFacts], containers_by_node: ContainersByNode, pool: Pool, policy: Policy
) -> tuple[NodeFacts, ...] | None:
    """The nodes with the candidate gone and its containers elsewhere; None when that must not be."""
    current = next(node for node in remaining if node.id == candidate.id)
    if current.containers != candidate.containers:  # it would take in what an earlier victim gives up
        return None
    others = [node for node in remaining if node.id != candidate.id]
    moved = in_packing_order(movable_requests(containers_by_node.get(candidate.id, ())), pool.node_capacity)
    packing = pack(moved, others, options=policy.options)
    if packing.left or not _is_enough(packing.nodes, pool, policy):
        return None
    return packing.nodes


def _is_enough(nodes: Sequence[NodeFacts], pool: Pool, policy: Policy) -> bool:
    """Whether nothing would be bought back for the demand there is."""
    if reserved_share([facts.node for facts in nodes if facts.node.pool == pool.name]) >= policy.reserved_high:
        return False
    return not pack(policy.headroom.requests(pool), nodes, options=policy.options).left


def _oldest(node: Node) -> tuple[float, str]:
    return node.created_at, node.id


def _least_work(node: Node) -> tuple[int, float, str]:
    return node.containers, node.created_at, node.id
