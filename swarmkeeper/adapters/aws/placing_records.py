"""How requests enter the table: reserved on a node or pending, counted where their tenant has a quota."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from swarmkeeper.adapters.aws.container_items import container_item
from swarmkeeper.adapters.aws.container_terms import (
    OF_CONTAINER,
    OF_NODE,
    OF_TENANT,
    as_given,
    holders,
    pending_like,
    raise_conflict,
    raise_node_changed,
)
from swarmkeeper.adapters.aws.dynamo import ConditionFailed, DynamoTable, TransactionRefused
from swarmkeeper.adapters.aws.holds import free, take, take_anyway
from swarmkeeper.adapters.aws.node_records import node_or_none
from swarmkeeper.adapters.aws.tenant_records import count_in, quota_exceeded
from swarmkeeper.adapters.aws.writes import Terms, Write, put
from swarmkeeper.domain.model import Container, ContainerState, Node, Quota, Request
from swarmkeeper.errors import Contention, InvariantBroken, NameTaken, NodeChanged
from swarmkeeper.ports import RESERVATION_LEASE_S, Limit


class PlacingRecords:
    """Acceptance; the rules are in `ports.StateStore`."""

    table: DynamoTable
    now: Callable[[], float]

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
        if pending is None:
            try:
                return self._reserve_new(request, node, limit, now, quota)
            except TransactionRefused as refused:
                pending = _why_not_new(refused, request, node, quota)
        return self._take_over(pending, node, limit, now)

    def _reserve_new(self, request: Request, node: Node, limit: Limit, now: float, quota: Quota | None) -> Container:
        container = Container(
            request,
            ContainerState.RESERVED,
            now,
            node=node.id,
            lease_until=now + RESERVATION_LEASE_S,
            counted=quota is not None,
        )
        held = take(node, request, limit, now=self.now())
        self.table.transact([put(container_item(container), Terms().absent()), *held, *_counted(request, quota)])
        return container

    def _take_over(self, pending: Container, node: Node, limit: Limit, now: float) -> Container:
        """Place exactly this pending record; it has been counted when it was accepted."""
        placed = replace(
            pending,
            version=pending.version + 1,
            state=ContainerState.RESERVED,
            node=node.id,
            reason="",
            lease_until=now + RESERVATION_LEASE_S,
        )
        held = take(node, placed.request, limit, now=self.now())
        try:
            self.table.transact([put(container_item(placed), as_given(pending)), *held])
        except TransactionRefused as refused:
            raise_node_changed(node, refused)
            raise Contention(f"{pending.name} is being placed by another") from refused
        return placed

    def park(self, request: Request, *, reason: str, now: float, quota: Quota | None = None) -> Container:
        parked = Container(request, ContainerState.PENDING, now, reason=reason, counted=quota is not None)
        write = put(container_item(parked), Terms().absent())
        try:
            if quota is None:
                self.table.write(write)
            else:
                self.table.transact_patiently([write, count_in(request, quota)])
        except ConditionFailed as failed:
            return self._tell(pending_like(request, failed.actual), reason)
        except TransactionRefused as refused:
            if OF_CONTAINER in refused.actual:
                return self._tell(pending_like(request, refused.actual[OF_CONTAINER]), reason)
            raise quota_exceeded(request, quota or Quota(), refused.actual[1]) from refused
        return parked

    def restore(self, container: Container, *, over: Container | None = None) -> Container:
        if container.node is None:
            raise InvariantBroken(f"{container.name} lives nowhere")
        held = take_anyway(container.node, container.request, container.engine_id, now=self.now())
        if over is None:
            restored, terms = container, Terms().absent()
            besides = [count_in(container.request, Quota())] if container.counted else []
        else:
            restored = replace(container, version=over.version + 1, counted=over.counted)
            terms = as_given(over)
            besides = [part for node_id in holders(over) for part in free(node_id, over.request, now=self.now())]
        try:
            self.table.transact_patiently([put(container_item(restored), terms), *held, *besides])
        except TransactionRefused as refused:
            if over is not None:
                raise_conflict(over, refused)
            if OF_CONTAINER in refused.actual:
                raise NameTaken(f"{container.name} is known already") from refused
            if OF_NODE in refused.actual:
                actual = node_or_none(refused.actual[OF_NODE])
                raise NodeChanged(f"{container.node} is not there", actual) from refused
            raise InvariantBroken(f"{container.name} holds something on {container.node} already") from refused
        return restored

    def count(self, container: Container) -> Container:
        if container.counted:
            return container
        counted = replace(container, counted=True, version=container.version + 1)
        write = put(container_item(counted), as_given(container))
        try:
            self.table.transact_patiently([write, count_in(container.request, Quota())])
        except TransactionRefused as refused:
            raise_conflict(container, refused)
            raise
        return counted

    def _tell(self, pending: Container, reason: str) -> Container:
        return pending if pending.reason == reason else self.explain(pending, reason=reason)

    def explain(self, container: Container, *, reason: str) -> Container:
        raise NotImplementedError


def _counted(request: Request, quota: Quota | None) -> list[Write]:
    return [] if quota is None else [count_in(request, quota)]


def _why_not_new(refused: TransactionRefused, request: Request, node: Node, quota: Quota | None) -> Container:
    """The pending record of this same request. Raises NameTaken, QuotaExceeded or NodeChanged when that isn't why."""
    known = OF_CONTAINER in refused.actual
    pending = pending_like(request, refused.actual[OF_CONTAINER]) if known else None
    if pending is None and quota is not None and OF_TENANT in refused.actual:
        raise quota_exceeded(request, quota, refused.actual[OF_TENANT]) from refused
    raise_node_changed(node, refused)
    if pending is None:
        raise InvariantBroken(f"{node.id} holds a reservation for {request.name}, which is unknown") from refused
    return pending
