"""Everything that follows from how much the nodes hold: room, order, slots, balance."""

from __future__ import annotations

from collections.abc import Iterable

from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.index.counts import ByContainers
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.groups import Groups
from swarmkeeper.domain.placement.index.rooms import Rooms
from swarmkeeper.domain.placement.index.scales import SIZES_KEPT
from swarmkeeper.domain.placement.index.weights import ByWeight
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.strategies import strategy_named

LOG_KEPT = 1024
"""Changes that an order may lag behind before it must catch up, or is dropped if it was not used meanwhile."""


class Totals:
    """The structures that a change of a node's totals moves; `with_slot` are the nodes that have a free slot.

    Rooms, slots and groups follow each change. The orders read a log of changes when they are asked, so that one
    which is rarely asked costs little.
    """

    __slots__ = (
        "_by_containers",
        "_counted",
        "_entries",
        "_log",
        "_orders",
        "_strategy",
        "groups",
        "rooms",
        "with_slot",
    )

    def __init__(self, options: PlacementOptions) -> None:
        self._strategy = strategy_named(options.strategy)
        self._entries: dict[NodeEntry, None] = {}
        self._log: list[NodeEntry] = []
        self._orders: dict[int, ByWeight] = {}
        self._by_containers: ByContainers | None = None
        self._counted = 0
        """How much of the log the numbers of containers know."""
        self.groups = Groups(options.balance_over) if options.balance_over else None
        self.rooms = Rooms(options)
        self.with_slot = 0

    def add(self, entry: NodeEntry) -> None:
        """A node has come, with the totals that its entry says."""
        self._entries[entry] = None
        self.rooms.add(entry)
        if self._by_containers is not None:
            self._by_containers.add(entry)
        self._follow_slots(entry)
        if self.groups is not None:
            self.groups.add(entry)
        for order in self._orders.values():
            order.add(entry)

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone, or what it can hold is about to change."""
        del self._entries[entry]
        for order in self._orders.values():
            order.remove(entry)
        if self._by_containers is not None:
            self._by_containers.remove(entry)
        self.rooms.remove(entry)
        self.with_slot &= ~entry.bit
        if self.groups is not None:
            self.groups.remove(entry)

    def follow(self, entries: Iterable[NodeEntry]) -> None:
        """These nodes' entries say other totals than before."""
        cpus, memory, groups = self.rooms.cpus, self.rooms.memory, self.groups
        for entry in entries:
            position, bit = entry.position, entry.bit
            cpus.follow(position, bit, entry.cpu_used)
            memory.follow(position, bit, entry.memory_used)
            if entry.generic_total or entry.generic_used or entry.generic_free:
                self.rooms.follow(entry)
            if entry.slots is not None:
                self._follow_slots(entry)
            if groups is not None:
                groups.follow(entry)
        self._log.extend(entries)
        if len(self._log) > LOG_KEPT:
            self._trim()

    def by_weight(self, wanted: Resources) -> ByWeight:
        """The order for requests that ask for these kinds of resources; made when it is first asked for."""
        slot = (1 if wanted.nano_cpus else 0) + (2 if wanted.memory_bytes else 0)
        order = self._orders.get(slot)
        if order is None:
            order = self._orders[slot] = self._new_order(wanted)
        elif order.followed < len(self._log):
            self._catch_up(order)
        if order.planned >= SIZES_KEPT:
            self._forget_sizes()
        return order

    def by_containers(self) -> ByContainers:
        """The nodes by the number of their containers; made when it is first asked for."""
        order = self._by_containers
        if order is None:
            order = self._by_containers = ByContainers(self._entries)
        elif self._counted < len(self._log):
            order.follow(self._log[self._counted :])
        self._counted = len(self._log)
        return order

    def _follow_slots(self, entry: NodeEntry) -> None:
        if entry.slots is None or entry.containers < entry.slots:
            self.with_slot |= entry.bit
        else:
            self.with_slot &= ~entry.bit

    def _new_order(self, wanted: Resources) -> ByWeight:
        order = ByWeight(
            self._strategy,
            self.rooms.cpus if wanted.nano_cpus else None,
            self.rooms.memory if wanted.memory_bytes else None,
        )
        for entry in self._entries:
            order.add(entry)
        order.followed = len(self._log)
        return order

    def _catch_up(self, order: ByWeight) -> None:
        order.follow(self._log[order.followed :])
        order.followed = len(self._log)

    def _trim(self) -> None:
        if self._counted:
            self.by_containers()
        else:
            self._by_containers = None
        for slot, order in list(self._orders.items()):
            if order.followed:
                self._catch_up(order)
            else:
                del self._orders[slot]
            order.followed = 0
        self._log.clear()
        self._counted = 0

    def _forget_sizes(self) -> None:
        for order in self._orders.values():
            order.forget()
        self.rooms.cpus.forget()
        self.rooms.memory.forget()
