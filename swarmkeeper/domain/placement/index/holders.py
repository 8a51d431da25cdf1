"""The nodes that have something, as a mask that is made when it is asked for."""

from __future__ import annotations

from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.masks import mask_of


class Order:
    """Counts the renumberings of the nodes' positions: a mask made before the last one is void."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class Holders:
    """Nodes, with how often each has it."""

    __slots__ = ("_made", "_mask", "counts")

    def __init__(self) -> None:
        self.counts: dict[NodeEntry, int] = {}
        self._mask = 0
        self._made = -1

    def add(self, entry: NodeEntry, times: int = 1) -> None:
        """A node has it once more, or `times` more."""
        counts = self.counts
        if entry in counts:
            counts[entry] += times
            return
        counts[entry] = times
        if self._made >= 0:
            self._mask |= entry.bit

    def remove(self, entry: NodeEntry) -> None:
        """A node has it once less."""
        held = self.counts[entry]
        if held > 1:
            self.counts[entry] = held - 1
            return
        del self.counts[entry]
        if self._made >= 0:
            self._mask &= ~entry.bit

    def mask(self, order: Order) -> int:
        """The nodes that have it; positions must not be stale."""
        if self._made != order.number:
            self._mask = mask_of([entry.position for entry in self.counts])
            self._made = order.number
        return self._mask
