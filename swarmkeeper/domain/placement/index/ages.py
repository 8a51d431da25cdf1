"""Nodes by age: which of some are the oldest, by few looks however many ages there are."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from operator import or_

from swarmkeeper.domain.placement.index.entries import NodeEntry


class Ages:
    """Masks of the nodes of each age. What a query needs of them is made anew after nodes have come or gone."""

    __slots__ = ("_masks", "_up_to")

    def __init__(self) -> None:
        self._masks: dict[float, int] = {}
        self._up_to: list[int] = []
        """For each age, the oldest first, the nodes that are as old or older; empty when it must be made."""

    def add(self, entry: NodeEntry) -> None:
        """A node has come."""
        self._masks[entry.node.created_at] = self._masks.get(entry.node.created_at, 0) | entry.bit
        self._up_to = []

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone."""
        self._masks[entry.node.created_at] ^= entry.bit
        if not self._masks[entry.node.created_at]:
            del self._masks[entry.node.created_at]
        self._up_to = []

    def oldest(self, among: int) -> int:
        """The oldest of the nodes, which are some; several where they are of one age."""
        if not self._up_to:
            self._up_to = list(accumulate((self._masks[at] for at in sorted(self._masks)), or_))
        return among & self._up_to[bisect_left(self._up_to, True, key=lambda mask: bool(mask & among))]
