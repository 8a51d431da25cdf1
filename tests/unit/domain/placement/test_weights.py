"""Levels come and go, and the nodes of each are found past the blocks that have none of those asked for."""

from __future__ import annotations

from random import Random

from swarmkeeper.domain.placement.index.counts import ByContainers
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.weights import BLOCK, NodeClass
from tests.fakes.builders import a_node


def test_blocks_hold_what_their_levels_hold_whatever_moves() -> None:
    draw, nodes, levels = Random(1), NodeClass(None, None, 0), [0] * 40
    for position in range(40):
        nodes.add(0, 1 << position)
    for _ in range(2000):
        position, level = draw.randrange(40), draw.randrange(-200, 12)
        if level != levels[position]:
            nodes.move(levels[position], level, 1 << position)
            levels[position] = level
    listed = [level for block in nodes.blocks for level in block.levels]
    assert listed == sorted(set(levels)) == sorted(nodes.buckets)
    for block in nodes.blocks:
        assert len({level >> BLOCK for level in block.levels}) == 1
        assert block.mask == sum(nodes.buckets[level] for level in block.levels)


def test_a_class_that_all_nodes_have_left_has_no_blocks() -> None:
    nodes = NodeClass(None, None, 0)
    nodes.add(3, 1)
    nodes.remove(3, 1)
    assert (nodes.blocks, nodes.buckets) == ([], {})


def test_numbers_of_containers_are_known_of_nodes_that_came_before_and_after() -> None:
    entries = [NodeEntry(a_node(f"i-{number}")) for number in range(3)]
    for position, entry in enumerate(entries):
        entry.position, entry.bit, entry.containers = position, 1 << position, position % 2
    order = ByContainers(entries[:2])
    order.add(entries[2])
    assert (order.fewest(0b111), order.most(0b111)) == (0b101, 0b010)
    order.remove(entries[1])
    assert order.most(0b111) == 0b101
