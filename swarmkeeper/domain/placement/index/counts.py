"""Nodes by how many containers they hold: what decides between equal weights."""

from __future__ import annotations

from bisect import bisect_left

from swarmkeeper.domain.placement.index.entries import NodeEntry

GONE = -1


class ByContainers:
    """A mask of nodes for each number of containers that occurs. An entry's `counted` says where its node is."""

    __slots__ = ("_masks", "_numbers")

    def __init__(self) -> None:
        self._masks: dict[int, int] = {}
        self._numbers: list[int] = []

    def add(self, entry: NodeEntry) -> None:
        """A node has come."""
        number = entry.counted = entry.containers
        mask = self._masks.get(number)
        if mask is None:
            self._numbers.insert(bisect_left(self._numbers, number), number)
            mask = 0
        self._masks[number] = mask | entry.bit

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone."""
        number, entry.counted = entry.counted, GONE
        mask = self._masks[number] ^ entry.bit
        if mask:
            self._masks[number] = mask
            return
        del self._masks[number]
        del self._numbers[bisect_left(self._numbers, number)]

    def follow(self, entry: NodeEntry) -> None:
        """A node may hold more or fewer containers than before, or be gone since."""
        if entry.counted not in (entry.containers, GONE):
            self.remove(entry)
            self.add(entry)

    def fewest(self, among: int) -> int:
        """Those of `among` that hold the fewest containers; none of none."""
        masks = self._masks
        for number in self._numbers:
            found = masks[number] & among
            if found:
                return found
        return 0

    def most(self, among: int) -> int:
        """Those of `among` that hold the most containers; none of none."""
        masks = self._masks
        for number in reversed(self._numbers):
            found = masks[number] & among
            if found:
                return found
        return 0
