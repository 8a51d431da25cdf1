"""Many requests at once: the result of one by one in their order, but cheap where they are alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Protocol

from swarmkeeper.domain.model import NodeId, Occupant, Request
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.index.choice import Choice
from swarmkeeper.domain.placement.index.chooser import BOTH_PASSES, Chooser
from swarmkeeper.domain.placement.index.filling import Filling
from swarmkeeper.domain.placement.index.roster import Roster
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.wish import Wish, wish_of

WORTH_WEIGHING = 8
"""So many requests alike pay for weighing all candidates once."""


class Holding(Protocol):
    """What a batch does with its choices."""

    def holds(self, node_id: NodeId, key: str) -> bool:
        """Whether a container of this key stands on the node."""

    def hold(self, node_id: NodeId, occupant: Occupant) -> object:
        """Add a container to contents and totals."""

    def put_occupant(self, node_id: NodeId, occupant: Occupant) -> object:
        """Add a container to contents alone."""


class Batch:
    """Places requests into an index."""

    def __init__(self, options: PlacementOptions, roster: Roster, chooser: Chooser, index: Holding) -> None:
        self._options = options
        self._roster = roster
        self._chooser = chooser
        self._index = index

    def place(self, requests: Sequence[Request], seed: int | None, avoid: frozenset[NodeId]) -> tuple[Choice, ...]:
        """Choose and hold for each. Raises InvalidExpression for any of them, having placed nothing."""
        runs = [list(run) for _, run in groupby(requests, key=lambda each: (each.reservation, each.rules, each.image))]
        wishes = [wish_of(run[0], self._options, avoid) for run in runs]
        choices: list[Choice] = []
        for wish, run in zip(wishes, runs, strict=True):
            alike = len(run) >= WORTH_WEIGHING and self._is_unmoved(wish)
            choices += self._fill(wish, run, seed) if alike else self._one_by_one(wish, run, seed)
        return tuple(choices)

    def _is_unmoved(self, wish: Wish) -> bool:
        """Whether placing one leaves what the filters say, slots and room aside, for the next one alike."""
        if wish.ports or wish.exposed or wish.dependencies or self._options.balance_over:
            return False
        return all(each.key == "image" for each in wish.affinities)

    def _one_by_one(self, wish: Wish, run: Iterable[Request], seed: int | None) -> list[Choice]:
        choices = []
        for request in run:
            choice = self._chooser.choose(wish, seed)
            if choice.node_id is not None:
                self._index.hold(choice.node_id, occupant_of(request))
            choices.append(choice)
        return choices

    def _fill(self, wish: Wish, run: Sequence[Request], seed: int | None) -> list[Choice]:
        """Under the soft expressions while they leave a node, then without them; what remains fits nowhere."""
        choices: list[Choice] = []
        for pass_, asked in enumerate((wish, wish.hard_only()), start=1):
            left = run[len(choices) :]
            self._roster.settle()
            filling = Filling(self._roster, self._chooser, asked, seed)
            chosen = filling.choices(len(left), pass_)
            placed = [(each.node_id, request) for each, request in zip(chosen, left, strict=False) if each.node_id]
            if any(self._index.holds(node_id, request.name) for node_id, request in placed):
                return choices + self._one_by_one(wish, left, seed)  # what is replaced makes room
            filling.count()
            for node_id, request in placed:
                self._index.put_occupant(node_id, occupant_of(request))
            choices += chosen
            if len(choices) == len(run):
                return choices
        return choices + [Choice(None, BOTH_PASSES, 0, filling.passed)] * (len(run) - len(choices))
