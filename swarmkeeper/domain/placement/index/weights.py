"""Nodes in the order of a strategy's exact weight, for any size of request, without looking at each node.

A node's weight for a request is the sum of two truncated percentages and its health's share. Nodes are kept in
buckets by the sum of their levels (see `scales`), which no request changes; what a request adds is its own levels,
and one for each resource that carries. The best weight is therefore found in the first bucket that has an eligible
node, or in one of the two after it.

Lowest is best throughout. Where a strategy prefers the highest weight, levels are negated, and what adds one is
the absence of a carry. Nodes of the same capacities form a class; a decision looks at each class once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.scales import Capacity
from swarmkeeper.domain.placement.index.thresholds import MaskCell
from swarmkeeper.domain.placement.strategies import FULL, Strategy

Plan = tuple[list[int], dict[int, int], int, MaskCell, MaskCell]
"""What a decision of one size needs of one class: levels, buckets, what the size adds to a level, and the nodes on
which CPU and memory carry."""
NOT_ASKED: tuple[int, MaskCell] = (FULL, [0])
"""A resource that is not requested scores 100 on every node and never carries."""


class NodeClass:
    """Nodes of the same capacities in buckets by level; `levels` lists those that occur, ascending."""

    __slots__ = ("buckets", "cpus", "levels", "memory", "size")

    def __init__(self, cpus: Capacity | None, memory: Capacity | None) -> None:
        self.cpus = cpus
        self.memory = memory
        self.levels: list[int] = []
        self.buckets: dict[int, int] = {}
        self.size = 0

    def add(self, level: int, bit: int) -> None:
        """A node has come to this level."""
        mask = self.buckets.get(level)
        if mask is None:
            self.levels.insert(bisect_left(self.levels, level), level)
            mask = 0
        self.buckets[level] = mask | bit

    def remove(self, level: int, bit: int) -> None:
        """A node has left this level."""
        mask = self.buckets[level] ^ bit
        if mask:
            self.buckets[level] = mask
            return
        del self.buckets[level]
        del self.levels[bisect_left(self.levels, level)]

    def move(self, bit: int, before: int, level: int) -> None:
        """A node has come to this level from another one."""
        buckets = self.buckets
        left = buckets[before] ^ bit
        if left and level in buckets:
            buckets[before] = left
            buckets[level] |= bit
        else:
            self.remove(before, bit)
            self.add(level, bit)

    def plan(self, sign: int, nano_cpus: int, memory_bytes: int) -> Plan:
        """What a request of this size means here."""
        cpu_level, cpus_carry = self.cpus.share(nano_cpus) if self.cpus else NOT_ASKED
        memory_level, memory_carries = self.memory.share(memory_bytes) if self.memory else NOT_ASKED
        added = cpu_level + memory_level
        if sign < 0:  # -weight = -levels - 2, and one more for each resource that does not carry
            added = -added - 2
        return (self.levels, self.buckets, added, cpus_carry, memory_carries)


class Cell:
    """Where a node stands in an order."""

    __slots__ = ("level", "nodes")

    def __init__(self, nodes: NodeClass, level: int) -> None:
        self.nodes = nodes
        self.level = level


class ByWeight:
    """The order of nodes for requests that ask for the same kinds of resources: CPU, memory, both or neither.

    `slot` says which of an entry's cells belongs to this order, `followed` how much of the totals' log it knows, and
    `planned` how many plans it has made since it was told to forget them.
    """

    __slots__ = (
        "_classes",
        "_cpus",
        "_health",
        "_inverted",
        "_memory",
        "_plans",
        "_sign",
        "followed",
        "planned",
        "slot",
    )

    def __init__(self, strategy: Strategy, *, of_cpus: bool, of_memory: bool) -> None:
        self.slot = of_cpus + 2 * of_memory
        self.followed = 0
        self.planned = 0
        self._sign = strategy.sign
        self._inverted = -1 if strategy.sign < 0 else 0
        self._health = strategy.sign * strategy.health_factor
        self._cpus = strategy.sign if of_cpus else 0
        self._memory = strategy.sign if of_memory else 0
        self._classes: dict[tuple[Capacity | None, Capacity | None], NodeClass] = {}
        self._plans: dict[tuple[int, int], list[Plan]] = {}

    def add(self, entry: NodeEntry) -> None:
        """A node has come; one that has nothing of what is asked for is never eligible and stays out."""
        cpus = entry.cpus.capacity if self._cpus else None
        memory = entry.memory.capacity if self._memory else None
        if (self._cpus and cpus is None) or (self._memory and memory is None):
            return
        nodes = self._classes.get((cpus, memory))
        if nodes is None:
            nodes = self._classes[cpus, memory] = NodeClass(cpus, memory)
            self._plans.clear()
        nodes.size += 1
        level = self._cpus * entry.cpus.level + self._memory * entry.memory.level + self._health * entry.health
        nodes.add(level, entry.bit)
        entry.cells[self.slot] = Cell(nodes, level)

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone, or its capacity is about to change."""
        cell = entry.cells[self.slot]
        if cell is None:
            return
        entry.cells[self.slot] = None
        nodes = cell.nodes
        nodes.remove(cell.level, entry.bit)
        nodes.size -= 1
        if not nodes.size:
            del self._classes[nodes.cpus, nodes.memory]
            self._plans.clear()

    def follow(self, entries: Iterable[NodeEntry]) -> None:
        """These nodes may stand at another level than before, or be gone since."""
        slot, cpus, memory, health = self.slot, self._cpus, self._memory, self._health
        for entry in entries:
            cell = entry.cells[slot]
            if cell is not None:
                level = cpus * entry.cpus.level + memory * entry.memory.level + health * entry.health
                if level != cell.level:
                    cell.nodes.move(entry.bit, cell.level, level)
                    cell.level = level

    def forget(self) -> None:
        """Forget the plans: the masks that they speak of are void."""
        self._plans.clear()
        self.planned = 0

    def best(self, eligible: int, nano_cpus: int, memory_bytes: int) -> tuple[int, int]:
        """The best weight among eligible nodes, which must all have room, and the mask of those that have it.

        The mask is 0, and the weight means nothing, when none is eligible.
        """
        winners = best = 0
        inverted = self._inverted
        for plan in self._plans.get((nano_cpus, memory_bytes)) or self._plans_for(nano_cpus, memory_bytes):
            levels, buckets, added, cpus_carry, memory_carries = plan
            for level in levels:
                first = buckets[level] & eligible
                if first:
                    break
            else:
                continue
            weight = level + added
            if winners and weight > best:
                continue
            one, other = cpus_carry[0] ^ inverted, memory_carries[0] ^ inverted
            tied = first & ~(one | other)
            if not tied:
                weight += 1
                second = buckets.get(level + 1, 0) & eligible
                tied = (first & (one ^ other)) | (second & ~(one | other))
            if not tied:  # then all of `first` have both
                weight += 1
                third = buckets.get(level + 2, 0) & eligible
                tied = first | (second & (one ^ other)) | (third & ~(one | other))
            if not winners or weight < best:
                winners, best = tied, weight
            elif weight == best:
                winners |= tied
        return winners, best * self._sign

    def _plans_for(self, nano_cpus: int, memory_bytes: int) -> list[Plan]:
        self.planned += 1
        plans = self._plans[nano_cpus, memory_bytes] = [
            each.plan(self._sign, nano_cpus, memory_bytes)
            for each in self._classes.values()
            if (each.cpus is None or nano_cpus <= each.cpus.total)
            and (each.memory is None or memory_bytes <= each.memory.total)
        ]
        return plans


def weight_of(entry: NodeEntry, strategy: Strategy, wanted: Resources, taken: int = 0) -> int:
    """The node's weight for a request that it has room for, after `taken` others of the same size."""
    copies = taken + 1
    cpus = entry.cpus.percent(wanted.nano_cpus * copies)
    return cpus + entry.memory.percent(wanted.memory_bytes * copies) + strategy.health_factor * entry.health
