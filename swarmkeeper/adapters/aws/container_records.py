"""The containers' part of the table: reservations and moves, each one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from swarmkeeper.adapters.aws.container_items import container_from, container_item, digest
from swarmkeeper.adapters.aws.dynamo import ConditionFailed, DynamoTable, TransactionRefused
from swarmkeeper.adapters.aws.items import (
    CONTAINER,
    HOLDS,
    KIND_PENDING,
    Item,
    container_key,
    hold_key,
    node_key,
    number,
    text,
)
from swarmkeeper.adapters.aws.node_records import node_or_none
from swarmkeeper.adapters.aws.writes import Terms, Write, add_to, delete, put
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Node, NodeId, Request
from swarmkeeper.errors import Conflict, Contention, InvariantBroken, NameTaken, NodeChanged
from swarmkeeper.ports import Limit

HOLDING = (ContainerState.RESERVED, ContainerState.RUNNING)
OF_CONTAINER, OF_NODE = 0, 1
"""Positions in every transaction: the container's write comes first, then nodes' and holds' in pairs."""


class ContainerRecords:
    """Containers; the rules are in `ports.StateStore`."""

    table: DynamoTable

    def reserve(self, request: Request, node: Node, limit: Limit, *, now: float) -> Container:
        fresh = Container(request, ContainerState.RESERVED, now, node=node.id)
        try:
            return self._reserve(fresh, None, node, limit)
        except TransactionRefused as refused:
            pending = _pending_in(refused, request)
            _raise_node_changed(node, refused)
            if pending is None:
                raise InvariantBroken(
                    f"{node.id} holds a reservation for {request.name}, which is unknown"
                ) from refused
        # Now the pending record is known: take over exactly that one.
        placed = replace(pending, version=pending.version + 1, state=ContainerState.RESERVED, node=node.id, reason="")
        try:
            return self._reserve(placed, pending, node, limit)
        except TransactionRefused as refused:
            _raise_node_changed(node, refused)
            raise Contention(f"{request.name} is being placed by another") from refused

    def _reserve(self, container: Container, before: Container | None, node: Node, limit: Limit) -> Container:
        terms = Terms().absent() if before is None else _as_given(before)
        self.table.transact([put(container_item(container), terms), *_take(node, container.request, limit)])
        return container

    def park(self, request: Request, *, reason: str, now: float) -> Container:
        parked = Container(request, ContainerState.PENDING, now, reason=reason)
        try:
            self.table.write(put(container_item(parked), Terms().absent()))
        except ConditionFailed as failed:
            before = _pending_like(request, failed.actual)
            return before if before.reason == reason else self.explain(before, reason=reason)
        return parked

    def confirm(self, container: Container, *, engine_id: str) -> Container:
        _require(container, ContainerState.RESERVED)
        return self._replace(
            container,
            replace(
                container, version=container.version + 1, state=ContainerState.RUNNING, engine_id=engine_id, reason=""
            ),
        )

    def explain(self, container: Container, *, reason: str) -> Container:
        return self._replace(container, replace(container, version=container.version + 1, reason=reason))

    def begin_removal(self, container: Container) -> Container:
        return self._replace(
            container, replace(container, version=container.version + 1, state=ContainerState.REMOVING)
        )

    def unplace(self, container: Container, *, reason: str) -> Container:
        _require(container, *HOLDING)
        parked = replace(
            container,
            version=container.version + 1,
            state=ContainerState.PENDING,
            node=None,
            moving_to=None,
            engine_id="",
            reason=reason,
        )
        self._give_back(container, put(container_item(parked), _as_given(container)), _holders(container))
        return parked

    def release(self, container: Container) -> None:
        gone = delete(container_key(container.name), _as_given(container))
        self._give_back(container, gone, _holders(container))

    def begin_move(self, container: Container, target: Node, limit: Limit) -> Container:
        _require(container, *HOLDING)
        if container.moving_to is not None:
            raise Conflict(f"{container.name} is being moved already")
        if container.node == target.id:
            raise InvariantBroken(f"{container.name} is on {target.id} already")
        moving = replace(container, version=container.version + 1, moving_to=target.id)
        try:
            self.table.transact(
                [put(container_item(moving), _as_given(container)), *_take(target, container.request, limit)]
            )
        except TransactionRefused as refused:
            _raise_conflict(container, refused)
            _raise_node_changed(target, refused)
            raise
        return moving

    def finish_move(self, container: Container, *, engine_id: str) -> Container:
        source, target = _move_of(container)
        moved = replace(container, version=container.version + 1, node=target, moving_to=None, engine_id=engine_id)
        self._give_back(container, put(container_item(moved), _as_given(container)), [source])
        return moved

    def cancel_move(self, container: Container) -> Container:
        _, target = _move_of(container)
        stayed = replace(container, version=container.version + 1, moving_to=None)
        self._give_back(container, put(container_item(stayed), _as_given(container)), [target])
        return stayed

    def container(self, name: ContainerName) -> Container | None:
        item = self.table.get(container_key(name))
        return None if item is None else container_from(item)

    def containers_on(self, node_id: NodeId) -> tuple[Container, ...]:
        names = [sk.removeprefix(HOLDS) for sk in self.table.sort_keys(f"NODE#{node_id}", HOLDS)]
        held = _read(self.table, [container_key(ContainerName(name)) for name in names])
        # A hold may have been given back between the two reads.
        return tuple(sorted((one for one in held if node_id in _holders(one)), key=lambda one: one.name))

    def pending(self) -> tuple[Container, ...]:
        found = _read(self.table, self.table.keys_of_kind(KIND_PENDING))
        waiting = [one for one in found if one.state is ContainerState.PENDING]
        return tuple(sorted(waiting, key=lambda one: (one.requested_at, one.name)))

    def containers(self) -> tuple[Container, ...]:
        found = [container_from(item) for item in self.table.scan(CONTAINER)]
        return tuple(sorted(found, key=lambda one: one.name))

    def _replace(self, before: Container, after: Container) -> Container:
        try:
            self.table.write(put(container_item(after), _as_given(before)))
        except ConditionFailed as failed:
            raise _no_longer(before) from failed
        return after

    def _give_back(self, container: Container, write: Write, nodes: Sequence[NodeId]) -> None:
        """Do the container's write and free its reservation on each of the nodes, all or nothing."""
        freed = [part for node_id in nodes for part in _free(node_id, container.request)]
        try:
            self.table.transact_patiently([write, *freed])
        except TransactionRefused as refused:
            _raise_conflict(container, refused)
            raise InvariantBroken(f"{container.name} holds nothing on {', '.join(nodes)}") from refused


def _take(node: Node, request: Request, limit: Limit) -> list[Write]:
    """Hold a reservation if the node is as the caller saw it, with room."""
    terms = Terms().equal("epoch", number(node.epoch)).equal("state", text(node.state))
    terms.at_most("reserved_nano_cpus", limit.reserved.nano_cpus)
    terms.at_most("reserved_memory_bytes", limit.reserved.memory_bytes)
    if limit.containers is not None:
        terms.at_most("containers", limit.containers)
    hold = hold_key(node.id, request.name)
    return [add_to(node_key(node.id), _amounts(request, +1), terms), put(hold, Terms().absent())]


def _free(node_id: NodeId, request: Request) -> list[Write]:
    """Give a reservation back; the totals can't go below zero."""
    terms = Terms().at_least("reserved_nano_cpus", request.reservation.nano_cpus)
    terms.at_least("reserved_memory_bytes", request.reservation.memory_bytes).at_least("containers", 1)
    held = Terms().equal("pk", text(f"NODE#{node_id}"))
    return [add_to(node_key(node_id), _amounts(request, -1), terms), delete(hold_key(node_id, request.name), held)]


def _amounts(request: Request, sign: int) -> dict[str, int]:
    return {
        "reserved_nano_cpus": sign * request.reservation.nano_cpus,
        "reserved_memory_bytes": sign * request.reservation.memory_bytes,
        "containers": sign,
    }


def _as_given(container: Container) -> Terms:
    """The stored record is the one the caller read.

    Versions start again when a name is used again, so state, node, time and request tell its lives apart.
    """
    terms = Terms().equal("version", number(container.version)).equal("state", text(container.state))
    terms.equal("requested_at", number(container.requested_at))
    terms.equal("request_digest", text(digest(container.request)))
    return terms.absent("node") if container.node is None else terms.equal("node", text(container.node))


def _pending_in(refused: TransactionRefused, request: Request) -> Container | None:
    """The pending container of the name, None when the name is unused. Raises NameTaken."""
    if OF_CONTAINER not in refused.actual:
        return None
    return _pending_like(request, refused.actual[OF_CONTAINER])


def _pending_like(request: Request, item: Item | None) -> Container:
    """The stored container if it waits for exactly this request. Raises NameTaken."""
    if item is None:
        raise Contention(f"{request.name} was taken and freed at once")
    container = container_from(item)
    if container.state is not ContainerState.PENDING or container.request != request:
        raise NameTaken(f"{request.name} is {container.state}")
    return container


def _raise_node_changed(node: Node, refused: TransactionRefused) -> None:
    if OF_NODE in refused.actual:
        actual = node_or_none(refused.actual[OF_NODE])
        raise NodeChanged(f"{node.id} has changed or is full", actual) from refused


def _raise_conflict(container: Container, refused: TransactionRefused) -> None:
    if OF_CONTAINER in refused.actual:
        raise _no_longer(container) from refused


def _no_longer(container: Container) -> Conflict:
    return Conflict(f"{container.name} is no longer as it was")


def _require(container: Container, *states: ContainerState) -> None:
    if container.state not in states:
        raise Conflict(f"{container.name} is {container.state}")


def _move_of(container: Container) -> tuple[NodeId, NodeId]:
    if container.node is None or container.moving_to is None:
        raise Conflict(f"{container.name} is not being moved")
    return container.node, container.moving_to


def _holders(container: Container) -> tuple[NodeId, ...]:
    """The nodes on which the container holds a reservation."""
    return tuple(node_id for node_id in (container.node, container.moving_to) if node_id is not None)


def _read(table: DynamoTable, keys: Sequence[Item]) -> list[Container]:
    return [container_from(item) for item in table.get_all(keys)]
