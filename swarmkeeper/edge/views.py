"""What callers are told of containers, nodes and decisions; OpenAPI's schemas are made from these."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Container, Node, Resources, Role, Snapshot
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.domain.placement.scheduler import Decision
from swarmkeeper.edge.states import State


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ResourcesView(View):
    """An amount: CPUs (0.5 is half a CPU), memory in bytes, whole units of other kinds such as `gpu`."""

    cpus: float
    memory_bytes: int
    generic: dict[str, int] = {}

    @classmethod
    def of(cls, amount: Resources) -> Self:
        return cls(
            cpus=amount.nano_cpus / NANO_CPUS_PER_CPU, memory_bytes=amount.memory_bytes, generic=dict(amount.generic)
        )


class SnapshotView(View):
    """A container's own layer in the fleet's registry, and when it stood still for it."""

    image: str
    taken_at: float

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        return cls(image=snapshot.image, taken_at=snapshot.taken_at)


class ContainerView(View):
    """A container as it stands. Times are seconds since the epoch."""

    name: str
    tenant: str
    image: str
    state: State
    node: str | None = Field(description="The node that holds it; null exactly while it is pending.")
    moving_to: str | None = Field(default=None, description="Where it is being moved to.")
    reason: str = Field(description="Why it waits; empty when it doesn't.")
    requested_at: float
    started_at: float | None = Field(default=None, description="When it first ran.")
    movable: bool
    snapshot: SnapshotView | None = Field(
        default=None, description="Its own layer as it was saved last; what it starts from where it has to start anew."
    )
    reservation: ResourcesView
    labels: dict[str, str]

    @classmethod
    def of(cls, container: Container) -> Self:
        request = container.request
        return cls(
            name=request.name,
            tenant=request.tenant,
            image=request.image,
            state=State.of(container.state),
            node=container.node,
            moving_to=container.moving_to,
            reason=container.reason,
            requested_at=container.requested_at,
            started_at=container.started_at,
            movable=request.movable,
            snapshot=None if container.snapshot is None else SnapshotView.of(container.snapshot),
            reservation=ResourcesView.of(request.reservation),
            labels=dict(request.labels),
        )


class ContainersView(View):
    """A page of a listing."""

    containers: list[ContainerView]
    next: str | None = Field(
        default=None, description="Give it as `next` for the page that follows; null: there is none."
    )


class NodeView(View):
    """A node as it stands."""

    id: str
    pool: str
    role: Role
    state: NodeState
    state_since: float
    address: str
    labels: dict[str, str]
    capacity: ResourcesView = Field(description="What may be reserved, overcommit applied.")
    reserved: ResourcesView
    containers: int
    slots: int | None = Field(description="How many containers it takes; null: no limit.")
    health: int = Field(description="100, 67, 34 or 0, as contacts with its engine fail.")
    protected: bool = Field(description="Whether scale-in leaves it alone.")
    reason: str

    @classmethod
    def of(cls, node: Node) -> Self:
        return cls(
            id=node.id,
            pool=node.pool,
            role=node.role,
            state=node.state,
            state_since=node.state_since,
            address=node.address,
            labels=dict(node.labels),
            capacity=ResourcesView.of(node.capacity),
            reserved=ResourcesView.of(node.reserved),
            containers=node.containers,
            slots=node.slots,
            health=node.health,
            protected=node.protected,
            reason=node.reason,
        )


class NodesView(View):
    nodes: list[NodeView]


class CandidateView(View):
    """A node that could take the request, with its weight under the strategy."""

    node: str
    weight: int


class RefusalView(View):
    """The first filter that refused a node, and what it found."""

    reason: Reason
    detail: str


class DecisionView(View):
    """Where a request would go now, and why not elsewhere."""

    chosen: str | None = Field(description="Null when no node can take it now.")
    strategy: str
    soft_dropped: bool = Field(description="Whether soft expressions had to be dropped, or nothing fits even so.")
    candidates: list[CandidateView] = Field(description="The best first.")
    rejections: dict[Reason, int] = Field(description="How many nodes each filter refused.")
    refused: dict[str, RefusalView] = Field(description="By node.")
    text: str = Field(description="The decision in one line.")

    @classmethod
    def of(cls, decision: Decision) -> Self:
        return cls(
            chosen=None if decision.chosen is None else decision.chosen.id,
            strategy=decision.strategy,
            soft_dropped=decision.pass_ > 1,
            candidates=[CandidateView(node=each.node.id, weight=each.weight) for each in decision.candidates],
            rejections=dict(decision.rejections),
            refused={
                node: RefusalView(reason=rejection.reason, detail=rejection.detail)
                for node, rejection in decision.refused
            },
            text=decision.explain(),
        )
