"""Ports of the hosts that containers hold."""

from __future__ import annotations

from swarmkeeper.domain.model import HostPort, Occupant
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Holders, Order
from swarmkeeper.domain.placement.index.texts import TextIndex
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.ports import clash, clash_within_protocol
from swarmkeeper.domain.placement.wish import HOST_MODE, Wish


class Bindings:
    """Nodes by the ports that their containers bind, and by those exposed in host network mode."""

    __slots__ = ("_bound", "_clashes", "_exposed", "_order")

    def __init__(self, options: PlacementOptions, order: Order) -> None:
        self._order = order
        self._clashes = clash_within_protocol if options.ports_by_protocol else clash
        self._bound: dict[int, dict[HostPort, Holders]] = {}
        self._exposed = TextIndex(order)

    def add(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has come to a node."""
        for binding in occupant.ports:
            alike = self._bound.setdefault(binding.port, {})
            alike.setdefault(binding, Holders()).add(entry)
        if occupant.network_mode == HOST_MODE:
            for port in occupant.exposed:
                self._exposed.add(port, entry)

    def remove(self, entry: NodeEntry, occupant: Occupant) -> None:
        """A container has left a node."""
        for binding in occupant.ports:
            alike = self._bound[binding.port]
            alike[binding].remove(entry)
            if not alike[binding].counts:
                del alike[binding]
            if not alike:
                del self._bound[binding.port]
        if occupant.network_mode == HOST_MODE:
            for port in occupant.exposed:
                self._exposed.remove(port, entry)

    def clashing(self, wish: Wish) -> int:
        """The nodes where a port that the wish wants is held."""
        found = 0
        if wish.network_mode == HOST_MODE:
            for port in wish.exposed:
                found |= self._exposed.mask(port)
            return found
        for wanted in wish.ports:
            for held, holders in self._bound.get(wanted.port, {}).items():
                if self._clashes(wanted, held):
                    found |= holders.mask(self._order)
        return found
