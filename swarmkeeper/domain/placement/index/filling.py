"""Fills nodes with requests alike, each going where it would go alone."""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace

from swarmkeeper.domain.placement.index.choice import Choice
from swarmkeeper.domain.placement.index.chooser import Chooser
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.masks import positions
from swarmkeeper.domain.placement.index.roster import Roster
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.domain.placement.wish import Wish

AFTER_SLOTS = tuple(Reason).index(Reason.CONTAINERSLOTS) + 1
"""Where in `Choice`'s masks the slots' filter has passed."""

Candidate = tuple[int, int, int, int, int, int, NodeEntry]
"""Weight and containers by the strategy, whether it would have to pull the image, the seeded tie, the position; then
how many it has taken, and the node."""


class Filling:
    """The nodes that may hold a wish now, in a heap by rank; only the node that takes one moves.

    Nothing but room and slots may change from one request to the next. Totals are written to the index once a node
    (`count`), not once a request. `passed` is what the filters leave at the end.
    """

    def __init__(self, roster: Roster, chooser: Chooser, wish: Wish, seed: int | None) -> None:
        self._roster = roster
        self._chooser = chooser
        self._wanted = wish.reservation
        self._taken: dict[NodeEntry, int] = {}
        self.passed = chooser.passed(wish)
        self._local = chooser.preferred(self.passed[-1], wish)
        self._tie = chooser.tie(seed)

    def choices(self, most: int, pass_: int) -> list[Choice]:
        """Choices for at most so many requests; fewer when all nodes are full."""
        heap = [self._candidate(self._roster.entry(at), 0) for at in positions(self.passed[-1])]
        heapify(heap)
        sign = self._chooser.sign
        choices: list[Choice] = []
        while heap and len(choices) < most:
            weight, *_, taken, entry = heap[0]
            choices.append(Choice(entry.node_id, pass_, sign * weight, self.passed))
            self._taken[entry] = taken = taken + 1
            if self._is_full(entry, taken):
                heappop(heap)
            else:
                heapreplace(heap, self._candidate(entry, taken))
        return choices

    def count(self) -> None:
        """Write what the nodes have taken to their totals."""
        for entry, taken in self._taken.items():
            self._roster.change(entry, self._wanted, taken, taken)

    def _candidate(self, entry: NodeEntry, taken: int) -> Candidate:
        weight = self._chooser.weight(entry, self._wanted, taken)
        sign = self._chooser.sign
        pull = 0 if self._local & entry.bit else 1
        containers = sign * (entry.containers + taken)
        return (sign * weight, containers, pull, self._tie(entry), entry.position, taken, entry)

    def _is_full(self, entry: NodeEntry, taken: int) -> bool:
        """Whether the node can take no more; if so, the filter that says it refuses it from now on."""
        if entry.slots is not None and entry.containers + taken >= entry.slots:
            kept = AFTER_SLOTS
        elif not self._roster.totals.rooms.has_room(entry, self._wanted, taken):
            kept = len(self.passed) - 1
        else:
            return False
        self.passed = (*self.passed[:kept], *(each & ~entry.bit for each in self.passed[kept:]))
        return True
