"""Which nodes have room for a request."""

from __future__ import annotations

from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.scales import SIZES_KEPT, Scale
from swarmkeeper.domain.placement.index.thresholds import AtLeast
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.strategies import RANDOM


class Rooms:
    """Nodes by what they have free.

    Under `exact` free is capacity less reserved, and an overfull node has room for nothing. Otherwise it is what
    the truncated score takes for free, a resource that is not asked for is not looked at, and `random` looks at
    neither CPU nor memory: as classic Swarm. Generic resources are always exact.
    """

    __slots__ = ("_entries", "_exact", "_generic", "_in_debt", "_scored", "cpus", "memory")

    def __init__(self, options: PlacementOptions) -> None:
        self._exact = options.exact
        self._scored = options.exact or options.strategy != RANDOM.name
        self._entries: dict[NodeEntry, None] = {}
        self.cpus = Scale(exact=options.exact)
        self.memory = Scale(exact=options.exact)
        self._generic: dict[str, AtLeast] = {}
        self._in_debt = 0
        """Nodes that have promised more of a generic resource than they have."""

    def add(self, entry: NodeEntry) -> None:
        """A node has come."""
        self._entries[entry] = None
        self.cpus.add(entry.position, entry.bit, entry.cpu_total, entry.cpu_used)
        self.memory.add(entry.position, entry.bit, entry.memory_total, entry.memory_used)
        self._add_generic(entry)

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone, or is about to change."""
        del self._entries[entry]
        self.cpus.remove(entry.position, entry.bit)
        self.memory.remove(entry.position, entry.bit)
        self._remove_generic(entry)

    def follow(self, entry: NodeEntry) -> None:
        """A node's generic resources have been reserved or given back."""
        self._remove_generic(entry)
        self._add_generic(entry)

    def fitting(self, wanted: Resources, among: int) -> int:
        """Those of `among` that have room for a reservation."""
        if self._exact or (self._scored and wanted.nano_cpus):
            among &= self.cpus.having(wanted.nano_cpus)
        if self._exact or (self._scored and wanted.memory_bytes):
            among &= self.memory.having(wanted.memory_bytes)
        if self._in_debt and self._exact:
            among &= ~self._in_debt
        for kind, amount in wanted.generic:
            if amount > 0:
                among &= self._having(kind, amount)
        return among

    def has_room(self, entry: NodeEntry, wanted: Resources, taken: int) -> bool:
        """Whether a node that had room for a reservation has room for one more after `taken` alike."""
        copies = taken + 1
        if self._scored:
            cpus, memory = self.cpus.capacities[entry.position], self.memory.capacities[entry.position]
            if wanted.nano_cpus and cpus and entry.cpu_used + wanted.nano_cpus * copies > cpus.limit:
                return False
            if wanted.memory_bytes and memory and entry.memory_used + wanted.memory_bytes * copies > memory.limit:
                return False
        free = dict(entry.generic_free)
        return all(amount * copies <= free[kind] for kind, amount in wanted.generic if amount > 0)

    def _having(self, kind: str, amount: int) -> int:
        free = self._generic.get(kind)
        if free is None:
            return 0
        if len(free) >= SIZES_KEPT:
            free.forget()
        return free.watch(amount, ((each.position, dict(each.generic_free).get(kind, 0)) for each in self._entries))[0]

    def _add_generic(self, entry: NodeEntry) -> None:
        free = Resources(generic=entry.generic_total) - Resources(generic=entry.generic_used)
        entry.generic_free = free.generic
        for kind, amount in free.generic:
            if amount < 0:
                self._in_debt |= entry.bit
            else:
                self._generic.setdefault(kind, AtLeast()).toggle(entry.bit, amount)

    def _remove_generic(self, entry: NodeEntry) -> None:
        self._in_debt &= ~entry.bit
        for kind, amount in entry.generic_free:
            if amount > 0:
                self._generic[kind].toggle(entry.bit, amount)
