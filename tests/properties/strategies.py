"""Hypothesis strategies for fleets and requests; amounts are small so that borders are met often."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    NO_RULES,
    Container,
    ContainerName,
    ContainerState,
    Node,
    NodeId,
    Pool,
    PoolName,
    Request,
    Resources,
    Role,
)
from tests.fakes.builders import a_node, a_request

AMOUNTS = st.integers(0, 12)
CONSTRAINTS = st.lists(
    st.sampled_from(["disk==ssd", "disk!=ssd", "disk==~ssd", "disk==~hdd", "node!=i-0", "node==i-1", "node==~i-*"]),
    max_size=2,
).map(tuple)
LABELS = st.sampled_from([{}, {"disk": "ssd"}, {"disk": "hdd"}])
SLOTS = st.one_of(st.none(), st.integers(1, 4))
PLACING = st.sampled_from(["spread", "binpack", "random", "busiest", "oldest"])


@st.composite
def requests(draw: st.DrawFn, max_size: int = 10) -> list[Request]:
    """Requests with unique names."""
    count = draw(st.integers(0, max_size))
    return [
        replace(
            a_request(f"c{number}", constraints=draw(CONSTRAINTS), movable=draw(st.booleans())),
            reservation=Resources(draw(AMOUNTS), draw(AMOUNTS)),
        )
        for number in range(count)
    ]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """A worker pool."""
    return Pool(
        name=PoolName("workers"),
        role=Role.WORKER,
        group="demo-workers",
        min=0,
        max=10,
        node_capacity=Resources(draw(st.integers(1, 16)), draw(st.integers(1, 16))),
        slots=draw(SLOTS),
        labels=draw(LABELS),
    )


@st.composite
def fleets(draw: st.DrawFn, pool: Pool) -> tuple[list[Node], dict[NodeId, tuple[Container, ...]]]:
    """Nodes of the pool and of another one in all states, with containers that fit on them."""
    nodes: list[Node] = []
    listing: dict[NodeId, tuple[Container, ...]] = {}
    for number in range(draw(st.integers(0, 5))):
        node = a_node(
            f"i-{number}",
            pool=draw(st.sampled_from(["workers", "workers", "workers", "other"])),
            state=draw(st.sampled_from([NodeState.READY, NodeState.READY, NodeState.READY, *NodeState])),
            capacity=pool.node_capacity,
            slots=pool.slots,
            labels=pool.labels,
            created_at=float(draw(st.integers(0, 3))),
        )
        node, listing[node.id] = draw(_filled(node, number))
        nodes.append(node)
    return nodes, listing


@st.composite
def _filled(draw: st.DrawFn, node: Node, number: int) -> tuple[Node, tuple[Container, ...]]:
    held: list[Container] = []
    if node.state not in (NodeState.READY, NodeState.DRAINING):
        return node, ()
    for request in draw(requests(max_size=3)):
        room = request.reservation.fits_in(node.free) and (node.slots is None or node.containers < node.slots)
        if room:
            named = replace(request, name=ContainerName(f"n{number}-{request.name}"), rules=NO_RULES)
            held.append(Container(named, ContainerState.RUNNING, 0.0, node=node.id))
            node = node.holding(request.reservation)
    return node, tuple(held)
