"""Nodes in the order of a strategy's exact weight, for any size of request, without looking at each node.

A node's weight for a request is the sum of two truncated percentages and its health's share. Nodes are kept in
buckets by the sum of their levels (see `scales`), which no request changes; what a request adds is its own levels,
and one for each resource that carries. The best weight is therefore found in the first bucket that has an eligible
node, or in one of the two after it. Neighbouring buckets form a block, since under `binpack` the first ones are
those of nodes that are full.

Lowest is best throughout. Where a strategy prefers the highest weight, levels are negated, and what adds one is
the absence of a carry. Nodes of the same capacities and health form a class; a decision looks at each class once.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.scales import Capacity, Scale
from swarmkeeper.domain.placement.index.thresholds import MaskCell
from swarmkeeper.domain.placement.strategies import FULL, Strategy

BLOCK = 3
"""The levels that differ in so many last bits only are a block, which is passed over at once: 8 levels."""


class Block:
    """The nodes of some neighbouring levels, and those of the levels that occur, ascending."""

    __slots__ = ("levels", "mask")

    def __init__(self) -> None:
        self.levels: list[int] = []
        self.mask = 0


Plan = tuple[list[Block], dict[int, int], int, MaskCell, MaskCell]
"""What a decision of one size needs of one class: blocks, buckets, what is added to a level, and the nodes on which
CPU and memory carry."""
NOT_ASKED: tuple[int, MaskCell] = (FULL, [0])
"""A resource that is not requested scores 100 on every node and never carries."""
ClassKey = tuple[Capacity | None, Capacity | None, int]


class NodeClass:
    """Nodes alike in buckets by level; `blocks` are those with nodes, ascending. `share` is their health's."""

    __slots__ = ("_by_number", "_numbers", "blocks", "buckets", "cpus", "memory", "share", "size")

    def __init__(self, cpus: Capacity | None, memory: Capacity | None, share: int) -> None:
        self.cpus = cpus
        self.memory = memory
        self.share = share
        self.blocks: list[Block] = []
        self._numbers: list[int] = []
        """The blocks' numbers, in the same order."""
        self._by_number: dict[int, Block] = {}
        self.buckets: dict[int, int] = {}
        self.size = 0

    def add(self, level: int, bit: int) -> None:
        """A node has come to this level."""
        block = self._block(level >> BLOCK)
        block.mask |= bit
        mask = self.buckets.get(level)
        if mask is None:
            insort(block.levels, level)
            mask = 0
        self.buckets[level] = mask | bit

    def remove(self, level: int, bit: int) -> None:
        """A node has left this level."""
        number = level >> BLOCK
        block = self._by_number[number]
        block.mask ^= bit
        mask = self.buckets[level] ^ bit
        if mask:
            self.buckets[level] = mask
            return
        del self.buckets[level]
        block.levels.remove(level)
        if not block.levels:
            at = bisect_left(self._numbers, number)
            del self.blocks[at], self._numbers[at], self._by_number[number]

    def move(self, before: int, level: int, bit: int) -> None:
        """A node has left one level for another."""
        buckets = self.buckets
        left = buckets[before] ^ bit
        if not left or level not in buckets:  # a level falls out of use, or comes into it
            self.remove(before, bit)
            self.add(level, bit)
            return
        buckets[before] = left
        buckets[level] |= bit
        if (before ^ level) >> BLOCK:
            self._by_number[before >> BLOCK].mask ^= bit
            self._by_number[level >> BLOCK].mask |= bit

    def _block(self, number: int) -> Block:
        block = self._by_number.get(number)
        if block is None:
            block = self._by_number[number] = Block()
            at = bisect_left(self._numbers, number)
            self._numbers.insert(at, number)
            self.blocks.insert(at, block)
        return block

    def can_hold(self, nano_cpus: int, memory_bytes: int) -> bool:
        """Whether an empty node could hold so much."""
        if self.cpus is not None and nano_cpus > self.cpus.total:
            return False
        return self.memory is None or memory_bytes <= self.memory.total


class ByWeight:
    """The order of nodes for requests that ask for the same kinds of resources: CPU, memory, both or neither.

    `followed` is how much of the totals' log it knows, and `planned` how many plans it has made since it was told to
    forget them.
    """

    __slots__ = ("_classes", "_cpus", "_levels", "_memory", "_nodes", "_plans", "_strategy", "followed", "planned")

    def __init__(self, strategy: Strategy, cpus: Scale | None, memory: Scale | None) -> None:
        self.followed = 0
        self.planned = 0
        self._strategy = strategy
        self._cpus = cpus
        self._memory = memory
        self._classes: dict[ClassKey, NodeClass] = {}
        self._plans: dict[tuple[int, int], list[Plan]] = {}
        self._nodes: list[NodeClass | None] = []
        """The class of each position; None where there is no node."""
        self._levels: list[int] = []

    def add(self, entry: NodeEntry) -> None:
        """A node has come; one that has nothing of what is asked for is never eligible and stays out."""
        position = entry.position
        while len(self._nodes) <= position:
            self._nodes.append(None)
            self._levels.append(0)
        cpus = self._cpus.capacities[position] if self._cpus else None
        memory = self._memory.capacities[position] if self._memory else None
        if (cpus and cpus.total <= 0) or (memory and memory.total <= 0):
            return
        share = self._strategy.health_factor * entry.health
        nodes = self._classes.get((cpus, memory, share))
        if nodes is None:
            nodes = self._classes[cpus, memory, share] = NodeClass(cpus, memory, share)
            self._plans.clear()
        nodes.size += 1
        self._nodes[position] = nodes
        self._levels[position] = level = self._level(position)
        nodes.add(level, entry.bit)

    def remove(self, entry: NodeEntry) -> None:
        """A node has gone, or its capacity is about to change."""
        nodes = self._nodes[entry.position]
        if nodes is None:
            return
        self._nodes[entry.position] = None
        nodes.remove(self._levels[entry.position], entry.bit)
        nodes.size -= 1
        if not nodes.size:
            del self._classes[nodes.cpus, nodes.memory, nodes.share]
            self._plans.clear()

    def follow(self, entries: Iterable[NodeEntry]) -> None:
        """These nodes may stand at another level than before, or be gone since."""
        all_nodes, levels, level_of = self._nodes, self._levels, self._level
        for entry in entries:
            position = entry.position
            nodes, before, level = all_nodes[position], levels[position], level_of(position)
            if level == before or nodes is None:
                continue
            levels[position] = level
            nodes.move(before, level, entry.bit)

    def forget(self) -> None:
        """Forget the plans: the masks that they speak of are void."""
        self._plans.clear()
        self.planned = 0

    def best(self, eligible: int, nano_cpus: int, memory_bytes: int) -> tuple[int, int]:
        """The best weight among eligible nodes, which must all have room, and the mask of those that have it.

        The mask is 0, and the weight means nothing, when none is eligible.
        """
        winners = best = foremost = 0
        sign = self._strategy.sign
        plans = self._plans.get((nano_cpus, memory_bytes)) or self._plans_for(nano_cpus, memory_bytes)
        for number, (blocks, buckets, added, cpus_carry, memory_carries) in enumerate(plans):
            for block in blocks:
                if block.mask & eligible:
                    break
            else:
                continue
            for level in block.levels:
                first = buckets[level] & eligible
                if first:
                    break
            weight = level + added
            if winners and weight > best:
                continue
            one, other = cpus_carry[0], memory_carries[0]
            tied = first & one & other if sign < 0 else first ^ (first & (one | other))  # an integer's ~ costs more
            if not tied:
                weight += 1
                least = one & other if sign < 0 else ~(one | other)
                second = buckets.get(level + 1, 0) & eligible
                tied = (first & (one ^ other)) | (second & least)
                if not tied:  # then all of `first` weigh two more
                    weight += 1
                    third = buckets.get(level + 2, 0) & eligible
                    tied = first | (second & (one ^ other)) | (third & least)
            if not winners or weight < best:
                winners, best, foremost = tied, weight, number
            elif weight == best:
                winners |= tied
        if foremost:  # the class that is best now is often best the next time; the others are then left early
            plans.insert(0, plans.pop(foremost))
        return winners, best * sign

    def _level(self, position: int) -> int:
        level = self._cpus.states[position].level if self._cpus is not None else 0
        if self._memory is not None:
            level += self._memory.states[position].level
        return level * self._strategy.sign

    def _plans_for(self, nano_cpus: int, memory_bytes: int) -> list[Plan]:
        self.planned += 1
        able = (each for each in self._classes.values() if each.can_hold(nano_cpus, memory_bytes))
        plans = self._plans[nano_cpus, memory_bytes] = [self._plan(each, nano_cpus, memory_bytes) for each in able]
        return plans

    def _plan(self, nodes: NodeClass, nano_cpus: int, memory_bytes: int) -> Plan:
        cpu_level, cpus_carry = self._cpus.share(nodes.cpus, nano_cpus) if self._cpus and nodes.cpus else NOT_ASKED
        memory_level, memory_carries = NOT_ASKED
        if self._memory and nodes.memory:
            memory_level, memory_carries = self._memory.share(nodes.memory, memory_bytes)
        added = cpu_level + memory_level + nodes.share
        if self._strategy.sign < 0:  # -weight = -levels - 2, and one more for each resource that does not carry
            added = -added - 2
        return (nodes.blocks, nodes.buckets, added, cpus_carry, memory_carries)


def weight_of(entry: NodeEntry, strategy: Strategy, wanted: Resources, taken: int = 0) -> int:
    """The node's weight for a request that it has room for, after `taken` others of the same size."""
    copies = taken + 1
    weight = strategy.health_factor * entry.health
    cpus, memory = wanted.nano_cpus, wanted.memory_bytes
    weight += (entry.cpu_used + cpus * copies) * FULL // entry.cpu_total if cpus else FULL
    weight += (entry.memory_used + memory * copies) * FULL // entry.memory_total if memory else FULL
    return weight
