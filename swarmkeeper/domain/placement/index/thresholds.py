"""Which nodes have at least so much of something, kept for every amount that has been asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from swarmkeeper.domain.placement.index.masks import mask_of

MaskCell = list[int]
"""A mask that changes, as the only item of a list: whoever holds the list sees the mask of now."""


class AtLeast:
    """A mask of nodes for each watched amount: those whose value is that amount or more.

    A value that moves changes one bit for each watched amount in between, however many nodes there are; who moves
    it knows between which of the `cells` that is.
    """

    __slots__ = ("_by_amount", "amounts", "cells")

    def __init__(self) -> None:
        self.amounts: list[int] = []
        self.cells: list[MaskCell] = []
        """The masks in the order of the amounts."""
        self._by_amount: dict[int, MaskCell] = {}

    def __len__(self) -> int:
        return len(self.amounts)

    def get(self, amount: int) -> MaskCell | None:
        """The mask for `amount`, if it is watched."""
        return self._by_amount.get(amount)

    def watch(self, amount: int, values: Iterable[tuple[int, int]]) -> MaskCell:
        """The mask for `amount`; computed from all nodes' (position, value) when it is asked for the first time."""
        cell = self._by_amount.get(amount)
        if cell is None:
            cell = self._by_amount[amount] = [mask_of([at for at, value in values if value >= amount])]
            at = bisect_left(self.amounts, amount)
            self.amounts.insert(at, amount)
            self.cells.insert(at, cell)
        return cell

    def toggle(self, bit: int, value: int) -> None:
        """A node with this value has been added, or one that had it removed."""
        for cell in self.cells[: bisect_right(self.amounts, value)]:
            cell[0] ^= bit

    def forget(self) -> None:
        """Watch nothing any more: masks that were handed out are void."""
        self.amounts.clear()
        self.cells.clear()
        self._by_amount.clear()
