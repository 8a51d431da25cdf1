"""Which nodes have a text: a container's name, a label's value, an image's tag.

Most texts stand on one node only, so the index keeps that node itself; a text of several nodes gets a count for
each. Masks are made when they are asked for and kept current from then on.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarmkeeper.domain.placement.expressions import PLAIN, Expression
from swarmkeeper.domain.placement.index.beginnings import Beginnings
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Held, Holders, Order, counted
from swarmkeeper.domain.placement.index.watchers import Watcher, Watchers, has_one_line


class TextIndex:
    """Nodes by text, and by the patterns that expressions have asked for."""

    __slots__ = ("_beginnings", "_order", "_texts", "_watchers")

    def __init__(self, order: Order) -> None:
        self._order = order
        self._texts: dict[str, Held] = {}
        self._beginnings: Beginnings | None = None
        self._watchers = Watchers()

    def add(self, text: str, entry: NodeEntry) -> None:
        """A node has the text once more."""
        texts = self._texts
        held = texts.get(text)
        if held is None:
            texts[text] = entry
            if self._beginnings is not None:
                self._beginnings.put(text, entry)
        elif isinstance(held, Holders):
            held.add(entry)
        else:
            several = texts[text] = Holders()
            several.add(held)
            several.add(entry)
            if self._beginnings is not None:
                self._beginnings.put(text, several)
        if self._watchers.lengths:
            self._watchers.add(text, entry)

    def remove(self, text: str, entry: NodeEntry) -> None:
        """A node has the text once less."""
        held = self._texts[text]
        if isinstance(held, Holders):
            held.remove(entry)
        if not isinstance(held, Holders) or not held.counts:
            del self._texts[text]
            if self._beginnings is not None:
                self._beginnings.remove(text)
        if self._watchers.lengths:
            self._watchers.remove(text, entry)

    def mask(self, text: str) -> int:
        """The nodes that have exactly this text."""
        held = self._texts.get(text)
        if held is None:
            return 0
        return held.mask(self._order) if isinstance(held, Holders) else held.bit

    def matching(self, expression: Expression) -> int:
        """The nodes that have a text which the expression's value matches, whatever its operator.

        The first time that a pattern is asked for, the texts that begin as it does are looked at; from then on its
        nodes are kept current, until many others have been asked for.
        """
        watcher = self._watchers.get(expression.value)
        if watcher is None:
            if is_plain(expression):
                return self.mask(expression.value)
            watcher = self._watch(expression)
        return watcher.mask(self._order)

    def holders(self, text: str) -> dict[NodeEntry, int]:
        """The nodes that have the text, each with how often."""
        held = self._texts.get(text)
        if held is None:
            return {}
        return held.counts if isinstance(held, Holders) else {held: 1}

    def beginning(self, prefix: str) -> Iterator[NodeEntry]:
        """The nodes that have a text with this prefix; some of them several times."""
        for group in self._begun().having(prefix):
            for text in group:
                yield from self.holders(text)

    def _begun(self) -> Beginnings:
        if self._beginnings is None:
            self._beginnings = Beginnings(self._texts)
        return self._beginnings

    def _watch(self, expression: Expression) -> Watcher:
        watcher = Watcher(expression.value, expression.matcher)
        groups = self._begun().having(watcher.prefix) if watcher.prefix else (self._texts,)
        takes_all = watcher.matches is has_one_line and self._begun().all_in_one_line
        found: list[Held] = []
        for group in groups:
            found += group.values() if takes_all else [group[text] for text in group if watcher.matches(text)]
        watcher.counts = counted(found)
        self._watchers.keep(watcher)
        return watcher


def is_plain(expression: Expression) -> bool:
    """Whether the value is compared as it is, being no pattern."""
    return PLAIN.fullmatch(expression.value) is not None and not expression.value.startswith("/")
