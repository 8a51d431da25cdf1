"""What demand is to a pool: whether its nodes could hold it, and which nodes are on their way for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import NO_RESOURCES, Node, NodeId, Pool, Request, Resources
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.filters import filters_of, first_rejection
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.reasons import Rejection
from swarmkeeper.domain.placement.wish import wish_of
from swarmkeeper.domain.scaling.learnt import ZONE
from swarmkeeper.domain.scaling.spare import Spare


@dataclass(frozen=True, slots=True)
class Headroom:
    """Room that is kept free beyond what is asked for: for so many containers, of so much together."""

    resources: Resources = NO_RESOURCES
    containers: int = 0

    def spare(self, pool: Pool) -> Spare:
        """The headroom as containers that it could hold, each small enough for an empty node of the pool."""
        whole = pool.node_capacity
        pieces = max(
            self.containers,
            _ceil_div(self.resources.nano_cpus, whole.nano_cpus),
            _ceil_div(self.resources.memory_bytes, whole.memory_bytes),
        )
        if not pieces:
            return Spare(NO_RESOURCES, 0)
        piece = Resources(_ceil_div(self.resources.nano_cpus, pieces), _ceil_div(self.resources.memory_bytes, pieces))
        return Spare(piece, pieces)


NO_HEADROOM = Headroom()


def refusal(request: Request, pool: Pool, options: PlacementOptions) -> Rejection | None:
    """Why no new node of the pool could ever hold the request, soft expressions dropped; None when one could.

    A new node is empty and has no images: a request that must be beside another container is refused too.
    """
    wish, filters = wish_of(request, options).hard_only(), filters_of(options)
    refusals = [first_rejection(NodeFacts(new_node(pool, n)), wish, filters) for n in range(max(1, len(pool.zones)))]
    return None if None in refusals else refusals[0]


def new_node(pool: Pool, number: int, *, now: float = 0.0) -> Node:
    """An empty ready node of the pool. Its id begins as instance ids do, but no expression can spell it."""
    return _empty(_new_id(pool, number), pool, NodeState.READY, now, _labels(pool, number))


def promised_nodes(pool: Pool, desired: int, nodes: Sequence[Node], *, now: float = 0.0) -> tuple[Node, ...]:
    """The instances that the group owes us and the table doesn't know yet, as joining nodes.

    Without them every decision until the launches show up would buy the same nodes again. They are called what they
    were called when they were bought, so that equal nodes are told apart as they were then.
    """
    known = sum(1 for node in nodes if node.pool == pool.name and _counts(node))
    return tuple(
        _empty(_new_id(pool, number), pool, NodeState.LAUNCHING, now, _labels(pool, number))
        for number in range(max(0, desired - known))
    )


def _new_id(pool: Pool, number: int) -> NodeId:
    return NodeId(f"i-{{new {pool.name} {number:04d}}}")


def as_joined(node: Node, pool: Pool) -> Node:
    """A joining node as it will be: its own record doesn't know its capacity yet."""
    return _empty(node.id, pool, NodeState.READY, node.created_at, {**pool.labels, **node.labels})


def _counts(node: Node) -> bool:
    """Whether the node is part of its group's desired capacity, as far as we know.

    With a waiting terminate hook it is not: the group counts its replacement instead, or was lowered.
    """
    if node.state in (NodeState.DRAINING, NodeState.LOST):
        return node.hook is None
    return node.state is NodeState.READY or node.state in JOINING_STATES


def _labels(pool: Pool, number: int) -> Mapping[str, str]:
    """Those of the pool's node of that number; a group spreads its nodes over its zones."""
    return {**pool.labels, ZONE: pool.zones[number % len(pool.zones)]} if pool.zones else pool.labels


def _empty(node_id: NodeId, pool: Pool, state: NodeState, created_at: float, labels: Mapping[str, str]) -> Node:
    return Node(
        id=node_id,
        pool=pool.name,
        role=pool.role,
        state=state,
        created_at=created_at,
        state_since=created_at,
        capacity=pool.node_capacity,
        slots=pool.slots,
        labels=labels,
    )


def _ceil_div(amount: int, part: int) -> int:
    """Rounded up; 0 where there is nothing to share, 1 where there is nothing to divide by."""
    if amount <= 0:
        return 0
    return -(-amount // part) if part > 0 else 1
