"""Nodes, requests and limits with defaults, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    NANO_CPUS_PER_CPU,
    ContainerName,
    Hook,
    Node,
    NodeId,
    PoolName,
    Request,
    Resources,
    Role,
    Rules,
    SentCommand,
)
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.edge.patterns import compile_re2
from swarmkeeper.ports import Limit

MIB = 2**20


def resources(cpus: float = 0, memory_mib: int = 0) -> Resources:
    """An amount given in whole or part CPUs and MiB."""
    return Resources(round(cpus * NANO_CPUS_PER_CPU), memory_mib * MIB)


def a_node(
    node_id: str = "i-0a",
    *,
    pool: str = "workers",
    role: Role = Role.WORKER,
    state: NodeState = NodeState.READY,
    capacity: Resources | None = None,
    reserved: Resources | None = None,
    containers: int = 0,
    slots: int | None = None,
    labels: Mapping[str, str] | None = None,
    address: str = "10.42.0.10",
    swarm_id: str = "",
    epoch: int = 0,
    created_at: float = 1_000.0,
    state_since: float = 1_000.0,
    health: int = 100,
    hook: Hook | None = None,
    command: SentCommand | None = None,
) -> Node:
    """A ready, empty worker of two CPUs and 2 GiB."""
    return Node(
        id=NodeId(node_id),
        pool=PoolName(pool),
        role=role,
        state=state,
        created_at=created_at,
        state_since=state_since,
        epoch=epoch,
        address=address,
        swarm_id=swarm_id,
        capacity=resources(2, 2048) if capacity is None else capacity,
        reserved=reserved or Resources(),
        containers=containers,
        slots=slots,
        labels=dict(labels or {}),
        health=health,
        hook=hook,
        command=command,
    )


def a_request(
    name: str = "web-1",
    *,
    cpus: float = 0.5,
    memory_mib: int = 256,
    image: str = "registry.example/web:1",
    movable: bool = False,
    constraints: tuple[str, ...] = (),
    tenant: str = "acme",
) -> Request:
    """A request for half a CPU and 256 MiB."""
    return Request(
        name=ContainerName(name),
        image=image,
        reservation=resources(cpus, memory_mib),
        rules=Rules(constraints=constraints),
        network="fleet",
        tenant=tenant,
        movable=movable,
        body=f'{{"Image":"{image}"}}',
    )


def options(
    strategy: str = "spread",
    *,
    exact: bool = True,
    ports_by_protocol: bool = False,
    balance_over: str = "",
    prefer_local_images: bool = False,
) -> PlacementOptions:
    """How a live fleet places by default, with the regular expressions that it uses."""
    return PlacementOptions(compile_re2, strategy, exact, ports_by_protocol, balance_over, prefer_local_images)


def facts(nodes: Iterable[Node]) -> list[NodeFacts]:
    """The records as nodes on which no container or image is known."""
    return [NodeFacts(node) for node in nodes]


def a_limit(node: Node, request: Request) -> Limit:
    """The limit under which `request` still fits on `node`, as the placer computes it."""
    return Limit(node.capacity - request.reservation, None if node.slots is None else node.slots - 1)
