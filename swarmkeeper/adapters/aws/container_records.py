"""A container's life and its moves in the table: whatever changes what a node holds is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from swarmkeeper.adapters.aws.container_items import container_item
from swarmkeeper.adapters.aws.container_terms import (
    HOLDING,
    as_given,
    holders,
    move_of,
    no_longer,
    raise_conflict,
    raise_node_changed,
    require,
)
from swarmkeeper.adapters.aws.dynamo import ConditionFailed, DynamoTable, TransactionRefused
from swarmkeeper.adapters.aws.holds import free, occupy, take
from swarmkeeper.adapters.aws.items import container_key
from swarmkeeper.adapters.aws.tenant_records import count_out
from swarmkeeper.adapters.aws.writes import Write, delete, put
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId, Save, Snapshot
from swarmkeeper.errors import Conflict, InvariantBroken
from swarmkeeper.ports import Limit


class ContainerRecords:
    """Changes of what was accepted; the rules are in `ports.StateStore`."""

    table: DynamoTable
    now: Callable[[], float]

    def confirm(self, container: Container, *, engine_id: str, now: float) -> Container:
        require(container, ContainerState.RESERVED)
        confirmed = replace(
            container,
            version=container.version + 1,
            state=ContainerState.RUNNING,
            engine_id=engine_id,
            reason="",
            started_at=now if container.started_at is None else container.started_at,
            lease_until=0.0,
            refusals=0,
            rests_until=0.0,
        )
        known = [part for node in holders(container)[:1] for part in self._occupy(node, container, engine_id)]
        self._transact(container, [put(container_item(confirmed), as_given(container)), *known])
        return confirmed

    def explain(self, container: Container, *, reason: str) -> Container:
        told = replace(container, version=container.version + 1, reason=reason, lease_until=0.0)
        return self._replace(container, told)

    def lease(self, container: Container, *, until: float) -> Container:
        return self._replace(container, replace(container, version=container.version + 1, lease_until=until))

    def begin_removal(self, container: Container) -> Container:
        return self._replace(
            container, replace(container, version=container.version + 1, state=ContainerState.REMOVING)
        )

    def unplace(self, container: Container, *, reason: str, rests_until: float = 0.0) -> Container:
        require(container, *HOLDING)
        parked = replace(
            container,
            version=container.version + 1,
            state=ContainerState.PENDING,
            node=None,
            moving_to=None,
            engine_id="",
            reason=reason,
            lease_until=0.0,
            refusals=container.refusals + (rests_until > 0),
            rests_until=rests_until,
            save=None,
        )
        freed = self._free(container, *holders(container))
        self._transact(container, [put(container_item(parked), as_given(container)), *freed])
        return parked

    def release(self, container: Container) -> None:
        gone = delete(container_key(container.name), as_given(container))
        uncounted = [count_out(container.request)] if container.counted else []
        self._transact(container, [gone, *self._free(container, *holders(container)), *uncounted])

    def begin_move(
        self, container: Container, target: Node, limit: Limit, *, lease_until: float = 0.0, save: Save | None = None
    ) -> Container:
        require(container, *HOLDING)
        if container.moving_to is not None:
            raise Conflict(f"{container.name} is being moved already")
        if container.node == target.id:
            raise InvariantBroken(f"{container.name} is on {target.id} already")
        moving = replace(
            container, version=container.version + 1, moving_to=target.id, lease_until=lease_until, save=save
        )
        held = take(target, container.request, limit, now=self.now())
        try:
            self.table.transact([put(container_item(moving), as_given(container)), *held])
        except TransactionRefused as refused:
            raise_conflict(container, refused)
            raise_node_changed(target, refused)
            raise
        return moving

    def note_save(
        self, container: Container, save: Save, *, snapshot: Snapshot | None = None, lease_until: float = 0.0
    ) -> Container:
        known = snapshot or container.snapshot
        noted = replace(container, version=container.version + 1, save=save, snapshot=known, lease_until=lease_until)
        return self._replace(container, noted)

    def finish_move(self, container: Container, *, engine_id: str) -> Container:
        source, target = move_of(container)
        moved = replace(
            container,
            version=container.version + 1,
            node=target,
            moving_to=None,
            engine_id=engine_id,
            lease_until=0.0,
            save=None,
        )
        changed = [*self._free(container, source), *self._occupy(target, container, engine_id)]
        self._transact(container, [put(container_item(moved), as_given(container)), *changed])
        return moved

    def cancel_move(self, container: Container) -> Container:
        _, target = move_of(container)
        stayed = replace(container, version=container.version + 1, moving_to=None, lease_until=0.0)
        self._transact(container, [put(container_item(stayed), as_given(container)), *self._free(container, target)])
        return stayed

    def _replace(self, before: Container, after: Container) -> Container:
        try:
            self.table.write(put(container_item(after), as_given(before)))
        except ConditionFailed as failed:
            raise no_longer(before) from failed
        return after

    def _free(self, container: Container, *node_ids: NodeId) -> list[Write]:
        return [part for node_id in node_ids for part in free(node_id, container.request, now=self.now())]

    def _occupy(self, node_id: NodeId, container: Container, engine_id: str) -> list[Write]:
        return occupy(node_id, container.request, engine_id, now=self.now())

    def _transact(self, container: Container, writes: Sequence[Write]) -> None:
        """Do the container's write and those at the nodes that hold it, all or nothing. Raises Conflict."""
        try:
            self.table.transact_patiently(writes)
        except TransactionRefused as refused:
            raise_conflict(container, refused)
            held_by = ", ".join(holders(container))
            raise InvariantBroken(f"{container.name} does not hold what it should on {held_by}") from refused
