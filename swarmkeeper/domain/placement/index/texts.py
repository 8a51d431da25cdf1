"""Which nodes have a text: a container's name, a label's value, an image's tag.

Most texts stand on one node only, so the index keeps that node itself; a text of several nodes gets a count for
each. Masks are made when they are asked for and kept current from then on.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarmkeeper.domain.placement.expressions import Expression, is_plain
from swarmkeeper.domain.placement.index.beginnings import MANY, Beginnings
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.grams import Grams
from swarmkeeper.domain.placement.index.holders import Held, Holders, Order, counted
from swarmkeeper.domain.placement.index.watchers import Watcher, Watchers, has_one_line
from swarmkeeper.domain.placement.literals import required


class TextIndex:
    """Nodes by text, and by the patterns that expressions have asked for."""

    __slots__ = ("_beginnings", "_grams", "_order", "_texts", "_watchers")

    def __init__(self, order: Order) -> None:
        self._order = order
        self._texts: dict[str, Held] = {}
        self._beginnings: Beginnings | None = None
        self._grams: Grams | None = None
        self._watchers = Watchers()

    def add(self, text: str, entry: NodeEntry) -> None:
        """A node has the text once more."""
        texts = self._texts
        held = texts.get(text)
        if held is None:
            texts[text] = entry
            if self._beginnings is not None:
                self._beginnings.put(text, entry)
            if self._grams is not None:
                self._grams.put(text)
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
            if self._grams is not None:
                self._grams.remove(text)
        if self._watchers.lengths:
            self._watchers.remove(text, entry)

    def mask(self, text: str) -> int:
        """The nodes that have exactly this text."""
        held = self._texts.get(text)
        if held is None:
            return 0
        return held.mask(self._order) if isinstance(held, Holders) else held.bit

    def prepare(self) -> None:
        """Make what the first pattern would have to make, which looks at every text."""
        self._begun()
        self._by_grams()

    def matching(self, expression: Expression) -> int:
        """The nodes that have a text which the expression's value matches, whatever its operator.

        What the value requires of a text leads to those that are tried. A pattern's nodes are kept current from its
        first use on if how a text begins says most of it, otherwise from its second.
        """
        watcher = self._watchers.get(expression.value)
        if watcher is not None:
            return watcher.mask(self._order)
        if is_plain(expression.value):
            return self.mask(expression.value)
        watcher = Watcher(expression.value, expression.matcher)
        watcher.counts = self._counts(watcher)
        if watcher.is_narrow or self._watchers.was_asked(expression.value):
            self._watchers.keep(watcher)
        return watcher.mask(self._order)

    def must_try_all(self, expression: Expression) -> bool:
        """Whether `matching` would try each of many texts, and need not: the pattern is asked for the first time."""
        if len(self._texts) <= MANY or is_plain(expression.value) or required(expression.value).is_sought:
            return False
        return self._watchers.get(expression.value) is None and not self._watchers.was_asked(expression.value)

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

    def _by_grams(self) -> Grams:
        if self._grams is None:
            self._grams = Grams(self._texts)
        self._grams.settle(self._texts)
        return self._grams

    def _counts(self, watcher: Watcher) -> dict[NodeEntry, int]:
        """The nodes of all texts that the pattern matches, each with how often."""
        prefix, parts = watcher.prefix, required(watcher.value).parts
        if len(self._texts) > MANY and parts and len(parts[0]) > len(prefix):
            return counted(self._found(self._by_grams().having(parts), watcher))
        groups = self._begun().having(prefix) if prefix else (self._texts,)
        takes_all = watcher.matches is has_one_line and self._begun().all_in_one_line
        found: list[Held] = []
        for group in groups:
            found += group.values() if takes_all else [group[text] for text in group if watcher.matches(text)]
        return counted(found)

    def _found(self, candidates: Iterator[str], watcher: Watcher) -> list[Held]:
        texts = self._texts
        return [
            texts[text]
            for text in set(candidates)
            if text in texts and text.startswith(watcher.prefix) and watcher.matches(text)
        ]
