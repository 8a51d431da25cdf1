"""The nodes in their positions, with the structures over what they are and how much they hold."""

from __future__ import annotations

from swarmkeeper.domain.model import Node, Resources
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Order
from swarmkeeper.domain.placement.index.nodes import NodeMasks
from swarmkeeper.domain.placement.index.totals import Totals
from swarmkeeper.domain.placement.options import PlacementOptions


class Roster:
    """Nodes by position. Positions follow the order of names.

    A node whose name is higher than all others is appended. Any other makes the positions stale: they are numbered
    anew, and all masks with them, before the next decision. Containers don't depend on positions, so that takes
    time for each node, not for each container. Totals that change are noted, and followed before the next decision.
    """

    __slots__ = ("_entries", "_moved", "_options", "_order", "_stale", "nodes", "positions", "totals")

    def __init__(self, options: PlacementOptions, order: Order) -> None:
        self._options = options
        self._order = order
        self._entries: dict[str, NodeEntry] = {}
        self._moved: dict[NodeEntry, None] = {}
        self._stale = False
        self.positions: list[NodeEntry | None] = []
        """The node of each bit; None where one has been removed."""
        self.nodes = NodeMasks()
        self.totals = Totals(options)

    def named(self, name: str) -> NodeEntry | None:
        """The node of this name."""
        return self._entries.get(name)

    def entry(self, position: int) -> NodeEntry:
        """The node of a bit that is set in a mask."""
        entry = self.positions[position]
        assert entry is not None, "masks hold nodes that are there"  # noqa: S101
        return entry

    def add(self, entry: NodeEntry) -> None:
        """A node has come; no other has its name."""
        self._entries[entry.name] = entry
        last = next((each for each in reversed(self.positions) if each is not None), None)
        if self._stale or (last is not None and entry.name < last.name):
            self._stale = True
            return
        self._append(entry)

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone."""
        del self._entries[entry.name]
        self._moved.pop(entry, None)
        if self._stale:
            return
        self.nodes.remove(entry)
        self.totals.remove(entry)
        self.positions[entry.position] = None
        self._stale = len(self.positions) > 2 * len(self._entries)  # too many bits that mean nothing

    def update(self, entry: NodeEntry, node: Node) -> None:
        """A node's record has been read again."""
        if self._stale:
            entry.read(node)
        elif _shape(node) != _shape(entry.node):
            self.nodes.remove(entry)
            self.totals.remove(entry)
            entry.read(node)
            self.nodes.add(entry)
            self.totals.add(entry)
        else:
            entry.node = node
            entry.read_totals(node)
            self._moved[entry] = None

    def change(self, entry: NodeEntry, by: Resources, times: int, containers: int) -> None:
        """A node holds so many times this much more; both numbers may be negative."""
        entry.cpu_used += by.nano_cpus * times
        entry.memory_used += by.memory_bytes * times
        if by.generic:
            more = Resources(generic=tuple((kind, amount * times) for kind, amount in by.generic))
            entry.generic_used = (Resources(generic=entry.generic_used) + more).generic
        entry.containers += containers
        self._moved[entry] = None

    def settle(self) -> None:
        """Make all structures say what the entries say."""
        if self._stale:
            self._renumber()
        elif self._moved:
            self.totals.follow(self._moved)
            self._moved.clear()

    def _renumber(self) -> None:
        self._stale = False
        self._moved.clear()
        self._order.number += 1
        self.positions = []
        self.nodes = NodeMasks()
        self.totals = Totals(self._options)
        for name in sorted(self._entries):
            self._append(self._entries[name])

    def _append(self, entry: NodeEntry) -> None:
        entry.position = len(self.positions)
        entry.bit = 1 << entry.position
        self.positions.append(entry)
        self.nodes.add(entry)
        self.totals.add(entry)


def _shape(node: Node) -> tuple[object, ...]:
    """All that matters of a record beside its totals."""
    return (node.role, node.state, node.health, node.slots, node.capacity, node.labels, node.created_at)
