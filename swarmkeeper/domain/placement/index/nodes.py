"""What nodes are: role, state, health, names and labels; and which of them an expression accepts."""

from __future__ import annotations

from collections.abc import Iterable

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId, Role
from swarmkeeper.domain.placement.expressions import Expression, Operator, is_plain
from swarmkeeper.domain.placement.index.ages import Ages
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.masks import mask_of

EXPRESSIONS_KEPT = 4096
"""Expressions whose mask is kept until a node's names or labels change. One more, and all are forgotten."""


class NodeMasks:
    """Masks of nodes by what their records say, totals left aside.

    `workers`, `ready` and `healthy` each narrow the one before, as the first filters do.
    """

    __slots__ = (
        "_accepted",
        "_by_id",
        "_by_label",
        "_by_name",
        "_listed",
        "ages",
        "everything",
        "healthy",
        "ready",
        "workers",
    )

    def __init__(self) -> None:
        self.everything = self.workers = self.ready = self.healthy = 0
        self.ages = Ages()
        self._by_id: dict[NodeId, NodeEntry] = {}
        self._by_name: dict[str, NodeEntry] = {}
        self._by_label: dict[str, dict[str, int]] = {}
        self._accepted: dict[int, tuple[Expression, int]] = {}
        self._listed: dict[int, tuple[Expression, int]] = {}

    def add(self, entry: NodeEntry) -> None:
        """A node has come."""
        node, bit = entry.node, entry.bit
        self._by_id[entry.node_id] = self._by_name[entry.name] = entry
        self.everything |= bit
        if node.role is Role.WORKER:
            self.workers |= bit
            if node.state is NodeState.READY:
                self.ready |= bit
        if node.health > 0:
            self.healthy |= bit
        self.ages.add(entry)
        self._forget()

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone, or its names or labels are about to change."""
        del self._by_id[entry.node_id], self._by_name[entry.name]
        others = ~entry.bit
        self.everything &= others
        self.workers &= others
        self.ready &= others
        self.healthy &= others
        self.ages.remove(entry)
        self._forget()

    def of(self, node_ids: Iterable[NodeId]) -> int:
        """The mask of these nodes."""
        mask = 0
        for node_id in node_ids:
            entry = self._by_id.get(node_id)
            if entry is not None:
                mask |= entry.bit
        return mask

    def accepted(self, expression: Expression) -> int:
        """The nodes that the constraint accepts."""
        kept = self._accepted.get(id(expression))  # hashing an expression costs more than finding it
        if kept is not None:
            return kept[1]
        found = self._matching(expression)
        mask = found if expression.op is Operator.EQUAL else self.everything & ~found
        if len(self._accepted) >= EXPRESSIONS_KEPT:
            self._accepted.clear()
        self._accepted[id(expression)] = (expression, mask)  # kept with it, so that its id stays its own
        return mask

    def listed(self, expression: Expression) -> int:
        """The nodes that the whitelist names."""
        kept = self._listed.get(id(expression))
        if kept is not None:
            return kept[1]
        mask = 0
        for name, entry in self._by_name.items():
            if expression.matches(name):
                mask |= entry.bit
        if len(self._listed) >= EXPRESSIONS_KEPT:
            self._listed.clear()
        self._listed[id(expression)] = (expression, mask)
        return mask

    def _matching(self, expression: Expression) -> int:
        if expression.key == "node":
            return self._named(expression)
        classes = self._by_label.get(expression.key)
        if classes is None:
            classes = self._by_label[expression.key] = self._classes(expression.key)
        if is_plain(expression.value):
            return classes.get(expression.value, 0)
        mask = 0
        for value, nodes in classes.items():
            if expression.matcher(value):
                mask |= nodes
        return mask

    def _named(self, expression: Expression) -> int:
        if is_plain(expression.value):
            mask = 0
            for found in (self._by_name.get(expression.value), self._by_id.get(NodeId(expression.value))):
                mask |= found.bit if found is not None else 0
            return mask
        matches = expression.matcher
        return mask_of(
            [
                entry.position
                for name, entry in self._by_name.items()
                if matches(name) or (entry.node_id != name and matches(entry.node_id))
            ]
        )

    def _classes(self, key: str) -> dict[str, int]:
        """The nodes of each value of a label; those without it have the value ""."""
        classes: dict[str, list[int]] = {}
        for entry in self._by_id.values():
            classes.setdefault(entry.node.labels.get(key, ""), []).append(entry.position)
        return {value: mask_of(positions) for value, positions in classes.items()}

    def _forget(self) -> None:
        if self._by_label or self._accepted or self._listed:
            self._by_label.clear()
            self._accepted.clear()
            self._listed.clear()
