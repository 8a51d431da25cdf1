"""The fleet's table in memory: the same conditions as the one in DynamoDB, under one lock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    ContainerState,
    Node,
    NodeId,
    PoolName,
    Request,
    Resources,
)
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.errors import Conflict, Contention, InvariantBroken, NameTaken, NodeChanged
from swarmkeeper.ports import Limit
from tests.fakes.faults import Fallible, can_fail

HOLDING = (ContainerState.RESERVED, ContainerState.RUNNING)


@dataclass(slots=True)
class Tables:
    """What is stored."""

    nodes: dict[NodeId, Node]
    containers: dict[ContainerName, Container]
    facts: dict[str, str]
    scaling: dict[PoolName, ScalingState]


class FakeStateStore(Fallible):
    """A StateStore that a test can fill with `given` and tell to fail (`fail`) or to contend (`contend`)."""

    def __init__(self, *nodes: Node) -> None:
        super().__init__()
        self._stored = Tables({}, {}, {}, {})
        for node in nodes:
            self.add_node(node)

    # What a test arranges.
    def contend(self, *methods: str, times: int = 1) -> None:
        """Let the next `times` calls of each method (`reserve` unless named) end as two writers that met."""
        for method in methods or ("reserve",):
            self.fail(method, Contention("two writers met"), times=times)

    def given(self, container: Container) -> Container:
        """Put the container in as it is and count its reservations, whatever room there is."""
        with self.lock:
            self._stored.containers[container.name] = container
            for node_id in _holders(container):
                self._take(node_id, container.request)
        return container

    # Nodes.
    @can_fail
    def add_node(self, node: Node) -> None:
        if known := self._stored.nodes.get(node.id):
            raise NodeChanged(f"{node.id} is known already", known)
        self._stored.nodes[node.id] = node

    @can_fail
    def node(self, node_id: NodeId) -> Node | None:
        return self._stored.nodes.get(node_id)

    @can_fail
    def nodes(self) -> tuple[Node, ...]:
        present = (node for node in self._stored.nodes.values() if node.state is not NodeState.GONE)
        return tuple(sorted(present, key=lambda node: node.id))

    @can_fail
    def save_node(self, node: Node) -> Node:
        actual = self._same_epoch(node)
        return self._put(replace(node, epoch=node.epoch + 1, reserved=actual.reserved, containers=actual.containers))

    @can_fail
    def bury_node(self, node: Node, *, expires_at: float) -> Node:
        actual = self._same_epoch(node)
        if actual.containers:
            raise InvariantBroken(f"{actual.containers} containers hold reservations on {node.id}")
        return self._put(replace(node, state=NodeState.GONE, epoch=node.epoch + 1, reserved=Resources(), containers=0))

    # Containers.
    @can_fail
    def reserve(self, request: Request, node: Node, limit: Limit, *, now: float) -> Container:
        before = self._stored.containers.get(request.name)
        if before is not None and not _waits_for(before, request):
            raise NameTaken(f"{request.name} is {before.state}")
        self._check_room(node, limit)
        self._take(node.id, request)
        return self._keep(
            Container(
                request=request,
                state=ContainerState.RESERVED,
                requested_at=before.requested_at if before else now,
                node=node.id,
                version=before.version + 1 if before else 0,
            )
        )

    @can_fail
    def park(self, request: Request, *, reason: str, now: float) -> Container:
        before = self._stored.containers.get(request.name)
        if before is None:
            return self._keep(Container(request, ContainerState.PENDING, now, reason=reason))
        if not _waits_for(before, request):
            raise NameTaken(f"{request.name} is {before.state}")
        return before if before.reason == reason else self._change(before, reason=reason)

    @can_fail
    def confirm(self, container: Container, *, engine_id: str) -> Container:
        _require(container, ContainerState.RESERVED)
        self._as_given(container)
        return self._keep(
            replace(
                container,
                state=ContainerState.RUNNING,
                engine_id=engine_id,
                reason="",
                version=container.version + 1,
            )
        )

    @can_fail
    def explain(self, container: Container, *, reason: str) -> Container:
        self._as_given(container)
        return self._change(container, reason=reason)

    @can_fail
    def unplace(self, container: Container, *, reason: str) -> Container:
        _require(container, *HOLDING)
        self._as_given(container)
        self._give_back_all(container)
        return self._keep(
            Container(
                container.request,
                ContainerState.PENDING,
                container.requested_at,
                reason=reason,
                version=container.version + 1,
            )
        )

    @can_fail
    def begin_removal(self, container: Container) -> Container:
        self._as_given(container)
        return self._keep(replace(container, state=ContainerState.REMOVING, version=container.version + 1))

    @can_fail
    def release(self, container: Container) -> None:
        self._as_given(container)
        self._give_back_all(container)
        del self._stored.containers[container.name]

    @can_fail
    def begin_move(self, container: Container, target: Node, limit: Limit) -> Container:
        _require(container, *HOLDING)
        if container.moving_to is not None:
            raise Conflict(f"{container.name} is being moved already")
        if container.node == target.id:
            raise InvariantBroken(f"{container.name} is on {target.id} already")
        self._as_given(container)
        self._check_room(target, limit)
        self._take(target.id, container.request)
        return self._keep(replace(container, moving_to=target.id, version=container.version + 1))

    @can_fail
    def finish_move(self, container: Container, *, engine_id: str) -> Container:
        source, target = _move_of(container)
        self._as_given(container)
        self._give_back(source, container.request)
        return self._keep(
            replace(container, node=target, moving_to=None, engine_id=engine_id, version=container.version + 1)
        )

    @can_fail
    def cancel_move(self, container: Container) -> Container:
        _, target = _move_of(container)
        self._as_given(container)
        self._give_back(target, container.request)
        return self._keep(replace(container, moving_to=None, version=container.version + 1))

    @can_fail
    def container(self, name: ContainerName) -> Container | None:
        return self._stored.containers.get(name)

    @can_fail
    def containers_on(self, node_id: NodeId) -> tuple[Container, ...]:
        return tuple(one for one in self._by_name() if node_id in _holders(one))

    @can_fail
    def pending(self) -> tuple[Container, ...]:
        waiting = (one for one in self._by_name() if one.state is ContainerState.PENDING)
        return tuple(sorted(waiting, key=lambda one: one.requested_at))

    @can_fail
    def containers(self) -> tuple[Container, ...]:
        return self._by_name()

    # Facts and scaling.
    @can_fail
    def fact(self, name: str) -> str | None:
        return self._stored.facts.get(name)

    @can_fail
    def set_fact_once(self, name: str, value: str) -> str:
        return self._stored.facts.setdefault(name, value)

    @can_fail
    def replace_fact(self, name: str, *, expected: str | None, value: str | None) -> None:
        if self._stored.facts.get(name) != expected:
            raise Conflict(f"the fact {name} is not as expected")
        if value is None:
            self._stored.facts.pop(name, None)
        else:
            self._stored.facts[name] = value

    @can_fail
    def scaling(self, pool: PoolName) -> ScalingState:
        return self._stored.scaling.get(pool, ScalingState(pool))

    @can_fail
    def save_scaling(self, state: ScalingState) -> ScalingState:
        if self._stored.scaling.get(state.pool, ScalingState(state.pool)).version != state.version:
            raise Conflict(f"the scaling state of {state.pool} has changed")
        saved = replace(state, version=state.version + 1)
        self._stored.scaling[state.pool] = saved
        return saved

    # Conditions and totals.
    def _same_epoch(self, node: Node) -> Node:
        actual = self._stored.nodes.get(node.id)
        if actual is None or actual.epoch != node.epoch:
            raise NodeChanged(f"{node.id} has changed", actual)
        return actual

    def _check_room(self, node: Node, limit: Limit) -> None:
        actual = self._stored.nodes.get(node.id)
        if (
            actual is None
            or (actual.epoch, actual.state) != (node.epoch, node.state)
            or not actual.reserved.fits_in(limit.reserved)
            or (limit.containers is not None and actual.containers > limit.containers)
        ):
            raise NodeChanged(f"{node.id} has changed or is full", actual)

    def _as_given(self, container: Container) -> None:
        if self._stored.containers.get(container.name) != container:
            raise Conflict(f"{container.name} is no longer as it was")

    def _put(self, node: Node) -> Node:
        self._stored.nodes[node.id] = node
        return node

    def _keep(self, container: Container) -> Container:
        self._stored.containers[container.name] = container
        return container

    def _change(self, container: Container, *, reason: str) -> Container:
        return self._keep(replace(container, reason=reason, version=container.version + 1))

    def _take(self, node_id: NodeId, request: Request) -> None:
        node = self._stored.nodes[node_id]
        self._put(replace(node, reserved=node.reserved + request.reservation, containers=node.containers + 1))

    def _give_back(self, node_id: NodeId, request: Request) -> None:
        node = self._stored.nodes.get(node_id)
        if node is None or node.containers < 1 or not request.reservation.fits_in(node.reserved):
            raise InvariantBroken(f"{request.name} holds nothing on {node_id}")
        self._put(replace(node, reserved=node.reserved - request.reservation, containers=node.containers - 1))

    def _give_back_all(self, container: Container) -> None:
        for node_id in _holders(container):
            self._give_back(node_id, container.request)

    def _by_name(self) -> tuple[Container, ...]:
        return tuple(sorted(self._stored.containers.values(), key=lambda one: one.name))


def _holders(container: Container) -> tuple[NodeId, ...]:
    """The nodes on which the container holds a reservation."""
    return tuple(node_id for node_id in (container.node, container.moving_to) if node_id is not None)


def _waits_for(container: Container, request: Request) -> bool:
    return container.state is ContainerState.PENDING and container.request == request


def _require(container: Container, *states: ContainerState) -> None:
    if container.state not in states:
        raise Conflict(f"{container.name} is {container.state}")


def _move_of(container: Container) -> tuple[NodeId, NodeId]:
    if container.node is None or container.moving_to is None:
        raise Conflict(f"{container.name} is not being moved")
    return container.node, container.moving_to
