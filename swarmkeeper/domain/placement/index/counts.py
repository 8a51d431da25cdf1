"""Nodes by how many containers they hold: what decides between equal weights."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.masks import mask_of

GONE = -1


class ByContainers:
    """A mask of nodes for each number of containers that occurs."""

    __slots__ = ("_counted", "_masks", "_numbers")

    def __init__(self, entries: Iterable[NodeEntry]) -> None:
        self._counted: list[int] = []
        """Of each position, in which mask it is."""
        positions: dict[int, list[int]] = {}
        for entry in entries:
            self._reach(entry.position)
            self._counted[entry.position] = entry.containers
            positions.setdefault(entry.containers, []).append(entry.position)
        self._masks = {number: mask_of(some) for number, some in positions.items()}
        self._numbers = sorted(self._masks)

    def add(self, entry: NodeEntry) -> None:
        """A node has come."""
        self._reach(entry.position)
        self._move(entry.position, entry.bit, GONE, entry.containers)

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone."""
        self._move(entry.position, entry.bit, self._counted[entry.position], GONE)

    def follow(self, entries: Iterable[NodeEntry]) -> None:
        """These nodes may hold more or fewer containers than before, or be gone since."""
        for entry in entries:
            before = self._counted[entry.position]
            if before not in (entry.containers, GONE):
                self._move(entry.position, entry.bit, before, entry.containers)

    def _reach(self, position: int) -> None:
        self._counted += [GONE] * (position + 1 - len(self._counted))

    def _move(self, position: int, bit: int, before: int, now: int) -> None:
        self._counted[position] = now
        masks = self._masks
        if before != GONE:
            masks[before] ^= bit
            if not masks[before]:
                del masks[before]
                del self._numbers[bisect_left(self._numbers, before)]
        if now in masks:
            masks[now] |= bit
        elif now != GONE:
            masks[now] = bit
            self._numbers.insert(bisect_left(self._numbers, now), now)

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
