"""The nodes that have something, as a mask that is made when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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

    def add(self, entry: NodeEntry) -> None:
        """A node has it once more."""
        counts = self.counts
        if entry in counts:
            counts[entry] += 1
            return
        counts[entry] = 1
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


Held = NodeEntry | Holders
"""Who has a text: most are on one node only, which then stands for itself."""


def counted(several: Sequence[Held]) -> dict[NodeEntry, int]:
    """The nodes that have some of several texts, each with how often."""
    alone = [each for each in several if isinstance(each, NodeEntry)]
    counts = dict(Counter(alone))
    if len(alone) < len(several):
        for each in several:
            if isinstance(each, Holders):
                for entry, times in each.counts.items():
                    counts[entry] = counts.get(entry, 0) + times
    return counts
