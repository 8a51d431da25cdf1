"""Patterns are kept while they are used, and only where that costs others little."""

from __future__ import annotations

from swarmkeeper.domain.placement.expressions import parse
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Order
from swarmkeeper.domain.placement.index.texts import TextIndex
from swarmkeeper.domain.placement.index.watchers import IDLE, Watcher, Watchers
from swarmkeeper.edge.patterns import compile_re2
from tests.fakes.builders import a_node


def an_entry() -> NodeEntry:
    entry = NodeEntry(a_node())
    entry.position, entry.bit = 0, 1
    return entry


def a_watcher(value: str) -> Watcher:
    return Watcher(value, parse(f"container=={value}", compile_re2).matcher)


def test_a_pattern_that_is_shown_every_text_is_dropped_when_it_is_not_used() -> None:
    watchers, entry = Watchers(), an_entry()
    watchers.keep(a_watcher("*-db"))
    watchers.keep(a_watcher("web-*"))
    for number in range(IDLE):
        watchers.add(f"x{number}", entry)
    assert watchers.get("*-db") is not None
    for number in range(IDLE + 1):
        watchers.add(f"y{number}", entry)
    assert watchers.get("*-db") is None
    assert watchers.get("web-*") is not None
    assert 0 not in watchers.lengths


def test_a_pattern_without_a_prefix_is_kept_from_its_second_use() -> None:
    texts, entry, asked = TextIndex(Order()), an_entry(), parse("container==*-db", compile_re2)
    texts.add("web-db", entry)
    assert texts.matching(asked) == 1
    texts.remove("web-db", entry)
    assert texts.matching(asked) == 0  # kept from here on
    texts.add("new-db", entry)
    assert texts.matching(asked) == 1
