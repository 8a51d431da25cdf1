"""Pools, containers and snapshots with defaults, beside the shared builders of nodes and requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swarmkeeper.domain.model import (
    Container,
    ContainerState,
    Node,
    NodeId,
    Pool,
    PoolName,
    Request,
    Resources,
    Role,
)
from swarmkeeper.domain.scaling.floors import Ceiling, Floor
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.domain.scaling.state import ScalingState
from tests.fakes.builders import a_node, a_request, facts, options, resources

NOW = 10_000.0
WORKERS = PoolName("workers")


def a_pool(
    *,
    name: str = "workers",
    role: Role = Role.WORKER,
    capacity: Resources | None = None,
    slots: int | None = None,
    labels: Mapping[str, str] | None = None,
    price: float = 0.0,
) -> Pool:
    """A pool of workers of two CPUs and 2 GiB, like `a_node`."""
    return Pool(
        name=PoolName(name),
        role=role,
        group=f"demo-{name}",
        min=1,
        max=4,
        node_capacity=resources(2, 2048) if capacity is None else capacity,
        slots=slots,
        labels=dict(labels or {}),
        price_per_hour=price,
    )


def a_container(
    name: str = "web-1",
    *,
    on: str = "i-0a",
    state: ContainerState = ContainerState.RUNNING,
    movable: bool = False,
    cpus: float = 0.5,
    memory_mib: int = 256,
    constraints: tuple[str, ...] = (),
    moving_to: str | None = None,
) -> Container:
    """A running container of half a CPU and 256 MiB."""
    return Container(
        request=a_request(name, cpus=cpus, memory_mib=memory_mib, movable=movable, constraints=constraints),
        state=state,
        requested_at=NOW - 100,
        node=NodeId(on),
        moving_to=None if moving_to is None else NodeId(moving_to),
    )


def loaded(node: Node, containers: Sequence[Container]) -> Node:
    """The node with the containers' reservations in its totals."""
    for container in containers:
        node = node.holding(container.request.reservation)
    return node


def seen(
    pool: Pool | None = None,
    *,
    desired: int = 0,
    low: int = 0,
    high: int = 4,
    state: ScalingState | None = None,
    suspended: frozenset[str] = frozenset(),
    refreshing: bool = False,
    protected: Sequence[str] = (),
    floors: Sequence[Floor] = (),
    ceilings: Sequence[Ceiling] = (),
    dry_run: bool = False,
    launched: int | None = None,
) -> PoolSnapshot:
    """A pool whose group has nothing of its own to say."""
    of = pool or a_pool()
    return PoolSnapshot(
        pool=of,
        group_min=low,
        group_max=high,
        group_desired=desired,
        state=state or ScalingState(of.name),
        suspended=suspended,
        refreshing=refreshing,
        protected=frozenset(NodeId(each) for each in protected),
        floors=tuple(floors),
        ceilings=tuple(ceilings),
        dry_run=dry_run,
        launched=launched,
    )


def a_fleet(
    *nodes: Node,
    pools: Sequence[PoolSnapshot],
    containers: Sequence[Container] = (),
    pending: Sequence[Request] = (),
) -> FleetSnapshot:
    """Totals are added to the nodes from the containers; one that is being moved counts on both of its nodes."""
    by_node = {node.id: tuple(each for each in containers if node.id in (each.node, each.moving_to)) for node in nodes}
    return FleetSnapshot(
        nodes=tuple(loaded(node, by_node[node.id]) for node in nodes),
        containers_by_node=by_node,
        pending=tuple(pending),
        pools=tuple(pools),
    )


def a_snapshot(
    *nodes: Node,
    containers: Sequence[Container] = (),
    pending: Sequence[Request] = (),
    desired: int | None = None,
    low: int = 1,
    high: int = 4,
    pool: Pool | None = None,
    state: ScalingState | None = None,
    suspended: frozenset[str] = frozenset(),
    refreshing: bool = False,
    protected: Sequence[str] = (),
    floors: Sequence[Floor] = (),
    ceilings: Sequence[Ceiling] = (),
    launched: int | None = None,
) -> FleetSnapshot:
    """A fleet of one pool whose desired capacity is its number of nodes."""
    only = seen(
        pool,
        desired=len(nodes) if desired is None else desired,
        low=low,
        high=high,
        state=state,
        suspended=suspended,
        refreshing=refreshing,
        protected=protected,
        floors=floors,
        ceilings=ceilings,
        launched=launched,
    )
    return a_fleet(*nodes, pools=[only], containers=containers, pending=pending)


__all__ = [
    "NOW",
    "WORKERS",
    "a_container",
    "a_fleet",
    "a_node",
    "a_pool",
    "a_request",
    "a_snapshot",
    "facts",
    "loaded",
    "options",
    "resources",
    "seen",
]
