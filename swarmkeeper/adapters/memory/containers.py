"""The containers' part of the table in memory."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.adapters.memory.nodes import NodeTable
from swarmkeeper.adapters.memory.operations import Kind, operation
from swarmkeeper.adapters.memory.tenants import TenantTable
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    ContainerState,
    Node,
    NodeId,
    Quota,
    Request,
    Save,
    Snapshot,
)
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.errors import Conflict, Contention, InvariantBroken, NameTaken, NodeChanged
from swarmkeeper.ports import RESERVATION_LEASE_S, Limit

HOLDING = (ContainerState.RESERVED, ContainerState.RUNNING)


class ContainerTable(TenantTable, NodeTable):
    """Containers; the rules are in `ports.StateStore`."""

    @operation(Kind.TRANSACTION)
    def reserve(
        self,
        request: Request,
        node: Node,
        limit: Limit,
        *,
        now: float,
        pending: Container | None = None,
        quota: Quota | None = None,
    ) -> Container:
        before = self.stored.containers.get(request.name)
        if pending is None:
            if before is not None and not _waits_for(before, request):
                raise NameTaken(f"{request.name} is {before.state}")
            if before is None:
                self.check_quota(request, quota)
        self._check_room(node, limit)
        if pending is not None and before != pending:
            raise Contention(f"{request.name} is being placed by another")
        first = before or Container(request, ContainerState.PENDING, now, counted=quota is not None, version=-1)
        if before is None:
            self.count_in(request, quota)
        self._take(node.id, request)
        return self._keep(
            replace(
                first,
                state=ContainerState.RESERVED,
                node=node.id,
                reason="",
                lease_until=now + RESERVATION_LEASE_S,
                version=first.version + 1,
            )
        )

    @operation(Kind.WRITE)
    def park(self, request: Request, *, reason: str, now: float, quota: Quota | None = None) -> Container:
        before = self.stored.containers.get(request.name)
        if before is None:
            self.check_quota(request, quota)
            self.count_in(request, quota)
            return self._keep(Container(request, ContainerState.PENDING, now, reason=reason, counted=quota is not None))
        if not _waits_for(before, request):
            raise NameTaken(f"{request.name} is {before.state}")
        return before if before.reason == reason else self._change(before, reason=reason)

    @operation(Kind.PATIENT)
    def confirm(self, container: Container, *, engine_id: str, now: float) -> Container:
        _require(container, ContainerState.RESERVED)
        self._as_given(container)
        for node_id in _holders(container)[:1]:
            self._occupy(node_id, container.request, engine_id)
        return self._keep(
            replace(
                container,
                state=ContainerState.RUNNING,
                engine_id=engine_id,
                reason="",
                started_at=now if container.started_at is None else container.started_at,
                lease_until=0.0,
                refusals=0,
                rests_until=0.0,
                version=container.version + 1,
            )
        )

    @operation(Kind.WRITE)
    def explain(self, container: Container, *, reason: str) -> Container:
        self._as_given(container)
        return self._change(container, reason=reason)

    @operation(Kind.WRITE)
    def lease(self, container: Container, *, until: float) -> Container:
        self._as_given(container)
        return self._keep(replace(container, lease_until=until, version=container.version + 1))

    @operation(Kind.PATIENT)
    def unplace(self, container: Container, *, reason: str, rests_until: float = 0.0) -> Container:
        _require(container, *HOLDING)
        self._as_given(container)
        self._give_back(container, *_holders(container))
        return self._keep(
            replace(
                container,
                state=ContainerState.PENDING,
                node=None,
                moving_to=None,
                engine_id="",
                reason=reason,
                lease_until=0.0,
                refusals=container.refusals + (rests_until > 0),
                rests_until=rests_until,
                save=None,
                version=container.version + 1,
            )
        )

    @operation(Kind.WRITE)
    def begin_removal(self, container: Container) -> Container:
        self._as_given(container)
        return self._keep(replace(container, state=ContainerState.REMOVING, version=container.version + 1))

    @operation(Kind.PATIENT)
    def release(self, container: Container) -> None:
        self._as_given(container)
        self._give_back(container, *_holders(container))
        if container.counted:
            self.count_out(container.request)
        del self.stored.containers[container.name]

    @operation(Kind.TRANSACTION)
    def begin_move(
        self, container: Container, target: Node, limit: Limit, *, lease_until: float = 0.0, save: Save | None = None
    ) -> Container:
        _require(container, *HOLDING)
        if container.moving_to is not None:
            raise Conflict(f"{container.name} is being moved already")
        if container.node == target.id:
            raise InvariantBroken(f"{container.name} is on {target.id} already")
        self._as_given(container)
        self._check_room(target, limit)
        self._take(target.id, container.request)
        return self._keep(
            replace(container, moving_to=target.id, lease_until=lease_until, save=save, version=container.version + 1)
        )

    @operation(Kind.WRITE)
    def note_save(
        self, container: Container, save: Save, *, snapshot: Snapshot | None = None, lease_until: float = 0.0
    ) -> Container:
        self._as_given(container)
        known = snapshot or container.snapshot
        return self._keep(
            replace(container, save=save, snapshot=known, lease_until=lease_until, version=container.version + 1)
        )

    @operation(Kind.PATIENT)
    def finish_move(self, container: Container, *, engine_id: str) -> Container:
        source, target = _move_of(container)
        self._as_given(container)
        self._give_back(container, source)
        self._occupy(target, container.request, engine_id)
        return self._keep(
            replace(
                container,
                node=target,
                moving_to=None,
                engine_id=engine_id,
                lease_until=0.0,
                save=None,
                version=container.version + 1,
            )
        )

    @operation(Kind.PATIENT)
    def cancel_move(self, container: Container) -> Container:
        _, target = _move_of(container)
        self._as_given(container)
        self._give_back(container, target)
        return self._keep(replace(container, moving_to=None, lease_until=0.0, version=container.version + 1))

    @operation(Kind.PATIENT)
    def restore(self, container: Container, *, over: Container | None = None) -> Container:
        if over is not None:
            self._as_given(over)
        elif container.name in self.stored.containers:
            raise NameTaken(f"{container.name} is known already")
        node = None if container.node is None else self.stored.nodes.get(container.node)
        if node is None or node.state is NodeState.GONE:
            raise NodeChanged(f"{container.node} is not there", node)
        if over is not None:
            self._give_back(over, *_holders(over))
            container = replace(container, version=over.version + 1, counted=over.counted)
        elif container.counted:
            self.count_in(container.request, Quota())
        self._take(node.id, container.request)
        self.stored.held[node.id][container.name] = occupant_of(container.request, container.engine_id)
        return self._keep(container)

    @operation(Kind.READ)
    def container(self, name: ContainerName) -> Container | None:
        return self.stored.containers.get(name)

    @operation(Kind.READ)
    def containers_on(self, node_id: NodeId) -> tuple[Container, ...]:
        return tuple(self.stored.containers[name] for name in sorted(self.stored.held.get(node_id, {})))

    @operation(Kind.READ)
    def pending(self) -> tuple[Container, ...]:
        waiting = (one for one in self._by_name() if one.state is ContainerState.PENDING)
        return tuple(sorted(waiting, key=lambda one: one.requested_at))

    @operation(Kind.READ)
    def unsettled(self, *, now: float) -> tuple[Container, ...]:
        return tuple(one for one in self._by_name() if _is_unsettled(one) and one.lease_until <= now)

    @operation(Kind.READ)
    def containers(self) -> tuple[Container, ...]:
        return self._by_name()

    @operation(Kind.READ)
    def containers_page(self, *, limit: int, after: str = "") -> tuple[tuple[Container, ...], str]:
        following = [one for one in self._by_name() if one.name > after]
        page = tuple(following[:limit])
        return page, page[-1].name if len(following) > limit else ""

    @operation(Kind.PATIENT)
    def count(self, container: Container) -> Container:
        if container.counted:
            return container
        self._as_given(container)
        self.count_in(container.request, Quota())
        return self._keep(replace(container, counted=True, version=container.version + 1))

    def _check_room(self, node: Node, limit: Limit) -> None:
        actual = self.stored.nodes.get(node.id)
        if (
            actual is None
            or (actual.epoch, actual.state) != (node.epoch, node.state)
            or not actual.reserved.fits_in(limit.reserved)
            or (limit.containers is not None and actual.containers > limit.containers)
            or (limit.revision is not None and actual.revision != limit.revision)
        ):
            raise NodeChanged(f"{node.id} has changed or is full", actual)

    def _as_given(self, container: Container) -> None:
        if self.stored.containers.get(container.name) != container:
            raise Conflict(f"{container.name} is no longer as it was")

    def _keep(self, container: Container) -> Container:
        self.stored.containers[container.name] = container
        return container

    def _change(self, container: Container, *, reason: str) -> Container:
        return self._keep(replace(container, reason=reason, lease_until=0.0, version=container.version + 1))

    def _take(self, node_id: NodeId, request: Request) -> None:
        node = self.stored.nodes[node_id]
        self.stored.held.setdefault(node_id, {})[request.name] = occupant_of(request)
        self.keep_node(replace(node.holding(request.reservation), revision=node.revision + 1))

    def _occupy(self, node_id: NodeId, request: Request, engine_id: str) -> None:
        """The engine knows the container now."""
        node = self.stored.nodes[node_id]
        self.stored.held[node_id][request.name] = occupant_of(request, engine_id)
        self.keep_node(replace(node, revision=node.revision + 1))

    def _give_back(self, container: Container, *node_ids: NodeId) -> None:
        for node_id in node_ids:
            node, amount = self.stored.nodes.get(node_id), container.request.reservation
            if node is None or node.containers < 1 or not amount.fits_in(node.reserved):
                raise InvariantBroken(f"{container.name} holds nothing on {node_id}")
            self.stored.held[node_id].pop(container.name)
            freed = replace(node, reserved=node.reserved - amount, containers=node.containers - 1)
            self.keep_node(replace(freed, revision=node.revision + 1))

    def _by_name(self) -> tuple[Container, ...]:
        return tuple(sorted(self.stored.containers.values(), key=lambda one: one.name))


def _holders(container: Container) -> tuple[NodeId, ...]:
    """The nodes on which the container holds a reservation."""
    return tuple(node_id for node_id in (container.node, container.moving_to) if node_id is not None)


def _is_unsettled(container: Container) -> bool:
    between = container.state in (ContainerState.RESERVED, ContainerState.REMOVING)
    return between or container.moving_to is not None


def _waits_for(container: Container, request: Request) -> bool:
    return container.state is ContainerState.PENDING and container.request == request


def _require(container: Container, *states: ContainerState) -> None:
    if container.state not in states:
        raise Conflict(f"{container.name} is {container.state}")


def _move_of(container: Container) -> tuple[NodeId, NodeId]:
    if container.node is None or container.moving_to is None:
        raise Conflict(f"{container.name} is not being moved")
    return container.node, container.moving_to
