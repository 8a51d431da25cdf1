"""The nodes' part of the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from swarmkeeper.adapters.aws.dynamo import ConditionFailed, DynamoTable, TransactionRefused
from swarmkeeper.adapters.aws.items import (
    KIND_NODE,
    Item,
    change_keys,
    images_key,
    integer_in,
    is_total,
    node_key,
    number,
)
from swarmkeeper.adapters.aws.node_items import node_from, node_item
from swarmkeeper.adapters.aws.writes import Terms, delete, put, set_attributes
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, NodeId
from swarmkeeper.errors import InvariantBroken, NodeChanged

KEYS = ("pk", "sk")
INDEX_KEYS = ("kind", "order")


class NodeRecords:
    """Nodes; the rules are in `ports.StateStore`."""

    table: DynamoTable
    now: Callable[[], float]

    def add_node(self, node: Node) -> None:
        try:
            self.table.write(put(node_item(node) | change_keys(node.id, self.now()), Terms().absent()))
        except ConditionFailed as failed:
            raise NodeChanged(f"{node.id} is known already", node_or_none(failed.actual)) from failed

    def node(self, node_id: NodeId) -> Node | None:
        return node_or_none(self.table.get(node_key(node_id)))

    def nodes(self) -> tuple[Node, ...]:
        found = (node_from(item) for item in self.table.get_all(self.table.keys_of_kind(KIND_NODE)))
        return tuple(sorted((node for node in found if node.state is not NodeState.GONE), key=lambda node: node.id))

    def read_nodes(self, node_ids: Sequence[NodeId]) -> tuple[Node, ...]:
        return tuple(node_from(item) for item in self.table.get_all([node_key(node_id) for node_id in node_ids]))

    def save_node(self, node: Node) -> Node:
        whole = node_item(_next(node)) | change_keys(node.id, self.now())
        kept = {name: value for name, value in whole.items() if name not in KEYS and not is_total(name)}
        same_epoch = Terms().equal("epoch", number(node.epoch))
        gone = INDEX_KEYS if node.state is NodeState.GONE else ()
        try:
            return node_from(self.table.write(set_attributes(node_key(node.id), kept, same_epoch, remove=gone)))
        except ConditionFailed as failed:
            raise NodeChanged(f"{node.id} has changed", node_or_none(failed.actual)) from failed

    def bury_node(self, node: Node, *, expires_at: float) -> Node:
        tombstone = node_item(_next(replace(node, state=NodeState.GONE))) | change_keys(node.id, self.now())
        attributes = {name: value for name, value in tombstone.items() if name not in KEYS and not is_total(name)}
        attributes["expires_at"] = number(math.ceil(expires_at))  # DynamoDB expires by whole seconds only
        empty = Terms().equal("epoch", number(node.epoch)).at_most("containers", 0)
        buried = set_attributes(node_key(node.id), attributes, empty, remove=INDEX_KEYS)
        try:
            self.table.transact_patiently([buried, delete(images_key(node.id), Terms())])
        except TransactionRefused as refused:
            raise _why_not_buried(node, refused.actual[0]) from refused
        stored = self.node(node.id)
        if stored is None:
            raise InvariantBroken(f"the tombstone of {node.id} is gone before its time")
        return stored


def node_or_none(item: Item | None) -> Node | None:
    return None if item is None else node_from(item)


def _next(node: Node) -> Node:
    return replace(node, epoch=node.epoch + 1)


def _why_not_buried(node: Node, actual: Item | None) -> NodeChanged | InvariantBroken:
    if actual is not None and integer_in(actual, "epoch") == node.epoch:
        return InvariantBroken(f"{integer_in(actual, 'containers')} containers hold reservations on {node.id}")
    return NodeChanged(f"{node.id} has changed", node_or_none(actual))
