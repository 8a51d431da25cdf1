"""The nodes' part of the table in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from swarmkeeper.adapters.memory.operations import Kind, Operation, operation
from swarmkeeper.adapters.memory.tables import ChangeIndex, Tables
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Image, Node, NodeId, Resources
from swarmkeeper.errors import InvariantBroken, NodeChanged
from swarmkeeper.ports import NodeChange, NodeContent

R = TypeVar("R")


class NodeTable:
    """Nodes; the rules are in `ports.StateStore`."""

    stored: Tables
    changes: ChangeIndex
    now: Callable[[], float]
    index_lag_s: float
    writers_skew_s: float

    def perform(self, operation: Operation, effect: Callable[[], R]) -> R:
        raise NotImplementedError

    @operation(Kind.WRITE)
    def add_node(self, node: Node) -> None:
        if known := self.stored.nodes.get(node.id):
            raise NodeChanged(f"{node.id} is known already", known)
        self.keep_node(node)

    @operation(Kind.READ)
    def node(self, node_id: NodeId) -> Node | None:
        return self.stored.nodes.get(node_id)

    @operation(Kind.READ)
    def nodes(self) -> tuple[Node, ...]:
        listed = (self.stored.nodes[node_id] for node_id in self.changes.listed(now=self.now()))
        return tuple(sorted((node for node in listed if node.state is not NodeState.GONE), key=lambda node: node.id))

    @operation(Kind.READ)
    def read_nodes(self, node_ids: Sequence[NodeId]) -> tuple[Node, ...]:
        return tuple(self.stored.nodes[node_id] for node_id in node_ids if node_id in self.stored.nodes)

    @operation(Kind.READ)
    def node_changes(self, since: float) -> tuple[NodeChange, ...]:
        return self.changes.changed(since, now=self.now())

    @operation(Kind.READ)
    def contents(self, node_ids: Sequence[NodeId]) -> tuple[NodeContent, ...]:
        return tuple(
            NodeContent(
                self.stored.nodes[node_id],
                tuple(self.stored.held.get(node_id, {}).values()),
                self.stored.images.get(node_id, ()),
            )
            for node_id in node_ids
            if node_id in self.stored.nodes
        )

    @operation(Kind.TRANSACTION)
    def record_images(self, node_id: NodeId, images: Sequence[Image]) -> None:
        node = self.stored.nodes.get(node_id)
        if node is None or node.state is NodeState.GONE or self.stored.images.get(node_id, ()) == tuple(images):
            return
        self.stored.images[node_id] = tuple(images)
        self.keep_node(replace(node, revision=node.revision + 1))

    @operation(Kind.WRITE)
    def save_node(self, node: Node) -> Node:
        actual = self._same_epoch(node)
        totals = {"reserved": actual.reserved, "containers": actual.containers, "revision": actual.revision}
        return self.keep_node(replace(node, epoch=node.epoch + 1, **totals))  # type: ignore[arg-type]  # as above

    @operation(Kind.WRITE)
    def bury_node(self, node: Node, *, expires_at: float) -> Node:
        actual = self._same_epoch(node)
        if actual.containers:
            raise InvariantBroken(f"{actual.containers} containers hold reservations on {node.id}")
        buried = replace(node, state=NodeState.GONE, epoch=node.epoch + 1, revision=actual.revision)
        self.stored.images.pop(node.id, None)
        return self.keep_node(replace(buried, reserved=Resources(), containers=0))

    def keep_node(self, node: Node) -> Node:
        """Store the record; the index shows it when its lag has passed."""
        self.stored.nodes[node.id] = node
        now = self.now()
        self.changes.note(node, visible_at=now + self.index_lag_s, changed_at=now + self.writers_skew_s)
        return node

    def _same_epoch(self, node: Node) -> Node:
        actual = self.stored.nodes.get(node.id)
        if actual is None or actual.epoch != node.epoch:
            raise NodeChanged(f"{node.id} has changed", actual)
        return actual
