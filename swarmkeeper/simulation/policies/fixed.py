"""A fleet that never changes."""

from __future__ import annotations

from swarmkeeper.simulation.fleet import Fleet
from swarmkeeper.simulation.policies.base import NO_CHANGE, Change, Unmoved
from swarmkeeper.simulation.waiting import Waiting


class Fixed(Unmoved):
    """So many nodes, bought at the beginning and kept."""

    every_s = 3600.0

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        """Only what a failed launch has left out is bought again."""
        return Change(buy=self._nodes - len(fleet)) if len(fleet) < self._nodes else NO_CHANGE
