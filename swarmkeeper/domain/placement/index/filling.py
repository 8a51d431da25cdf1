"""Fills nodes with requests alike, each going where it would go alone."""

from __future__ import annotations

from bisect import insort
from heapq import heappop, heappush

from swarmkeeper.domain.placement.index.choice import Choice
from swarmkeeper.domain.placement.index.chooser import Chooser
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.masks import positions
from swarmkeeper.domain.placement.index.roster import Roster
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.domain.placement.strategies import first_of
from swarmkeeper.domain.placement.wish import Wish

AFTER_SLOTS = tuple(Reason).index(Reason.CONTAINERSLOTS) + 1
"""Where in `Choice`'s masks the slots' filter has passed."""

Rank = tuple[int, float, int]
"""Weight and containers, or age, by the strategy, then whether the node would have to pull the image; best lowest."""


class Filling:
    """The nodes that may hold a wish now, by rank, equals in the order of their names; only one that takes one moves.

    Nothing but room and slots may change from one request to the next. Totals are written to the index once a node
    (`count`), not once a request. `passed` is what the filters leave at the end.
    """

    def __init__(self, roster: Roster, chooser: Chooser, wish: Wish, seed: int | None) -> None:
        self._roster = roster
        self._chooser = chooser
        self._wanted = wish.reservation
        self._seed = seed
        self._taken: dict[NodeEntry, int] = {}
        self.passed = chooser.passed(wish)
        self._local = chooser.preferred(self.passed[-1], wish)
        self._equals: dict[Rank, list[int]] = {}
        self._ranks: list[Rank] = []
        """A heap of all ranks that nodes have or had."""

    def choices(self, most: int, pass_: int) -> list[Choice]:
        """Choices for at most so many requests; fewer when all nodes are full."""
        for at in positions(self.passed[-1]):
            self._stand(at, self._rank(self._roster.entry(at), 0))
        sign = self._chooser.sign
        choices: list[Choice] = []
        while self._ranks and len(choices) < most:
            rank = self._ranks[0]
            equals = self._equals[rank]
            if not equals:
                del self._equals[heappop(self._ranks)]
                continue
            entry = self._roster.entry(equals.pop(first_of(len(equals), self._seed)))
            choices.append(Choice(entry.node_id, pass_, sign * rank[0], self.passed))
            self._taken[entry] = taken = self._taken.get(entry, 0) + 1
            if not self._is_full(entry, taken):
                self._stand(entry.position, self._rank(entry, taken))
        return choices

    def count(self) -> None:
        """Write what the nodes have taken to their totals."""
        for entry, taken in self._taken.items():
            self._roster.change(entry, self._wanted, taken, taken)

    def _stand(self, position: int, rank: Rank) -> None:
        equals = self._equals.get(rank)
        if equals is None:
            self._equals[rank] = [position]
            heappush(self._ranks, rank)
        else:
            insort(equals, position)

    def _rank(self, entry: NodeEntry, taken: int) -> Rank:
        return (*self._chooser.rank(entry, self._wanted, taken), 0 if self._local & entry.bit else 1)

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
