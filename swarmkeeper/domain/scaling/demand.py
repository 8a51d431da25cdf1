"""How many nodes would hold what is pending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import NO_RESOURCES, ContainerName, Node, NodeId, Pool, Request, Resources
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.filters import filters_of, first_rejection
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.reasons import Rejection
from swarmkeeper.domain.placement.wish import wish_of
from swarmkeeper.domain.scaling.packing import in_packing_order, pack


@dataclass(frozen=True, slots=True)
class Headroom:
    """Room that is kept free beyond what is asked for: for so many containers, of so much together."""

    resources: Resources = NO_RESOURCES
    containers: int = 0

    def requests(self, pool: Pool) -> tuple[Request, ...]:
        """The headroom as containers that it could hold, each small enough for an empty node of the pool."""
        whole = pool.node_capacity
        pieces = max(
            self.containers,
            _ceil_div(self.resources.nano_cpus, whole.nano_cpus),
            _ceil_div(self.resources.memory_bytes, whole.memory_bytes),
        )
        piece = Resources(_ceil_div(self.resources.nano_cpus, pieces), _ceil_div(self.resources.memory_bytes, pieces))
        return tuple(Request(ContainerName(f"(headroom {n + 1})"), "", piece) for n in range(pieces))


NO_HEADROOM = Headroom()


@dataclass(frozen=True, slots=True)
class Demand:
    """What pending requests need of one pool.

    `extra_nodes`: how many more nodes hold everything that this pool can hold. `placed_on_present`: requests,
    headroom not counted, that ready and joining nodes hold already. `unplaceable`: requests that neither those
    nor any new node of this pool can hold, with the reason. `nodes`: all nodes, new ones too, as they would be
    with the requests, but not the headroom, on them.
    """

    extra_nodes: int
    placed_on_present: int
    unplaceable: tuple[tuple[ContainerName, Rejection], ...]
    nodes: tuple[Node, ...]


def size(
    pending: Sequence[Request],
    nodes: Sequence[NodeFacts],
    pool: Pool,
    headroom: Headroom = NO_HEADROOM,
    *,
    options: PlacementOptions,
) -> Demand:
    """Pack the pending requests on what is there and on as few new nodes of the pool as hold the rest.

    `nodes` are the fleet's; ready ones count as they are, joining ones of the pool as empty, others not at all.
    The packing goes through the filters and the strategy that will place, largest first, so that what it
    promises is what placement finds. Never more nodes than requests (headroom's pieces included). Raises
    InvalidExpression.
    """
    present = [usable for node in nodes if (usable := as_usable(node, pool)) is not None]
    refusals = {each.name: refusal(each, pool, options) for each in (*pending, *headroom.requests(pool))}
    foreign, ours = _split(in_packing_order(pending, pool.node_capacity), refusals)
    elsewhere = pack(foreign, present, options=options)
    spare_foreign, spare = _split(headroom.requests(pool), refusals)
    extra, at_once, final = _fewest_nodes(ours, spare, elsewhere.nodes, pool, options)
    lost = (*elsewhere.left, *spare_foreign)
    return Demand(
        extra_nodes=extra,
        placed_on_present=len(elsewhere.placed) + at_once,
        unplaceable=tuple((each.name, reason) for each in lost if (reason := refusals[each.name]) is not None),
        nodes=tuple(facts.node for facts in final),
    )


def refusal(request: Request, pool: Pool, options: PlacementOptions) -> Rejection | None:
    """Why no new node of the pool could ever hold the request, soft expressions dropped; None when one could.

    A new node is empty and has no images: a request that must be beside another container is refused too.
    """
    return first_rejection(NodeFacts(new_node(pool, 0)), wish_of(request, options).hard_only(), filters_of(options))


def new_node(pool: Pool, number: int) -> Node:
    """An empty ready node of the pool. Its id begins as instance ids do, but no expression can spell it."""
    return _empty(NodeId(f"i-{{new {number:04d}}}"), pool, NodeState.READY)


def promised_nodes(pool: Pool, desired: int, nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The instances that the group owes us and the table doesn't know yet, as joining nodes.

    Without them every decision until the launches show up would buy the same nodes again.
    """
    known = sum(1 for node in nodes if node.pool == pool.name and _counts(node))
    return tuple(
        _empty(NodeId(f"i-{{promised {pool.name} {number:04d}}}"), pool, NodeState.LAUNCHING)
        for number in range(max(0, desired - known))
    )


def as_usable(facts: NodeFacts, pool: Pool) -> NodeFacts | None:
    """The node as placement may count on it; None when it may not.

    A joining node of another pool counts with what its own record says.
    """
    node = facts.node
    if node.state is NodeState.READY:
        return facts
    if node.state not in JOINING_STATES:
        return None
    if node.pool == pool.name:
        return NodeFacts(_empty(node.id, pool, NodeState.READY))
    return replace(facts, node=replace(node, state=NodeState.READY))


def _counts(node: Node) -> bool:
    """Whether the node is part of its group's desired capacity, as far as we know.

    With a waiting terminate hook it is not: the group counts its replacement instead, or was lowered.
    """
    if node.state is NodeState.DRAINING:
        return node.hook is None
    return node.state is NodeState.READY or node.state in JOINING_STATES


def _empty(node_id: NodeId, pool: Pool, state: NodeState) -> Node:
    return Node(
        id=node_id,
        pool=pool.name,
        role=pool.role,
        state=state,
        created_at=0.0,
        state_since=0.0,
        capacity=pool.node_capacity,
        slots=pool.slots,
        labels=pool.labels,
    )


def _split(
    requests: Sequence[Request], refusals: Mapping[ContainerName, Rejection | None]
) -> tuple[list[Request], list[Request]]:
    """Those that no new node of the pool could hold, and the others."""
    foreign: list[Request] = []
    ours: list[Request] = []
    for request in requests:
        (ours if refusals[request.name] is None else foreign).append(request)
    return foreign, ours


def _fewest_nodes(
    requests: Sequence[Request],
    spare: Sequence[Request],
    present: Sequence[NodeFacts],
    pool: Pool,
    options: PlacementOptions,
) -> tuple[int, int, tuple[NodeFacts, ...]]:
    """(new nodes, requests that fit without any, nodes with the requests on them).

    Ends: with one new node a request, each finds an empty one.
    """
    extra = 0
    at_once: int | None = None
    while True:
        room = [*present, *(NodeFacts(new_node(pool, number)) for number in range(extra))]
        packing = pack(requests, room, options=options)
        left = (*packing.left, *pack(spare, packing.nodes, options=options).left)
        at_once = len(packing.placed) if at_once is None else at_once
        if not left:
            return extra, at_once, packing.nodes
        extra = min(extra + _nodes_at_least(left, pool), len(requests) + len(spare))


def _nodes_at_least(requests: Sequence[Request], pool: Pool) -> int:
    """How many new nodes the requests need even if they could be cut to pieces; at least 1."""
    cpus = sum(request.reservation.nano_cpus for request in requests)
    memory = sum(request.reservation.memory_bytes for request in requests)
    by_slots = _ceil_div(len(requests), pool.slots) if pool.slots else 1
    whole = pool.node_capacity
    return max(1, by_slots, _ceil_div(cpus, whole.nano_cpus), _ceil_div(memory, whole.memory_bytes))


def _ceil_div(amount: int, part: int) -> int:
    """Rounded up; 0 where there is nothing to share, 1 where there is nothing to divide by."""
    if amount <= 0:
        return 0
    return -(-amount // part) if part > 0 else 1
