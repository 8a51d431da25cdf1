"""Patterns that expressions have asked for, with their nodes kept current as texts come and go."""

from __future__ import annotations

from collections.abc import Iterator

from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Holders
from swarmkeeper.domain.placement.patterns import Matcher

WATCHED = 256
"""Patterns kept for one kind of text; beyond it, the one that was unused for longest is dropped."""
SPECIAL = frozenset(".*()?+[]\\^$|")


class Watcher(Holders):
    """The nodes of all texts that a pattern matches."""

    __slots__ = ("matches", "prefix", "value")

    def __init__(self, value: str, matches: Matcher) -> None:
        super().__init__()
        self.value = value
        self.prefix = literal_prefix(value)
        self.matches = has_one_line if value == f"{self.prefix}*" else matches
        """Asked of texts that have the prefix only."""


class Watchers:
    """The patterns that are kept. A text is only shown to those whose prefix it has: one look-up for each length."""

    __slots__ = ("_by_prefix", "_by_value", "lengths")

    def __init__(self) -> None:
        self._by_value: dict[str, Watcher] = {}
        self._by_prefix: dict[str, list[Watcher]] = {}
        self.lengths: tuple[int, ...] = ()
        """The lengths of the prefixes; empty when nothing is watched."""

    def get(self, value: str) -> Watcher | None:
        """The pattern's watcher, if there is one."""
        watcher = self._by_value.pop(value, None)
        if watcher is not None:
            self._by_value[value] = watcher  # last in the dictionary is last used
        return watcher

    def keep(self, watcher: Watcher) -> None:
        """Keep a new watcher, which knows the texts that are there."""
        if len(self._by_value) >= WATCHED:
            self._drop(self._by_value.pop(next(iter(self._by_value))))
        self._by_value[watcher.value] = watcher
        self._by_prefix.setdefault(watcher.prefix, []).append(watcher)
        self._measure()

    def add(self, text: str, entry: NodeEntry) -> None:
        """A node has the text once more."""
        for watcher in self._of(text):
            watcher.add(entry)

    def remove(self, text: str, entry: NodeEntry) -> None:
        """A node has the text once less."""
        for watcher in self._of(text):
            watcher.remove(entry)

    def _of(self, text: str) -> Iterator[Watcher]:
        """The watchers of the text, each once: a text that is shorter than a length has no prefix of that length."""
        for length in self.lengths:
            if length <= len(text):
                for watcher in self._by_prefix.get(text[:length], ()):
                    if watcher.matches(text):
                        yield watcher

    def _drop(self, watcher: Watcher) -> None:
        alike = self._by_prefix[watcher.prefix]
        alike.remove(watcher)
        if not alike:
            del self._by_prefix[watcher.prefix]
            self._measure()

    def _measure(self) -> None:
        self.lengths = tuple({len(prefix) for prefix in self._by_prefix})


def has_one_line(text: str) -> bool:
    """What `prefix*` asks of a text that has the prefix: its `.*` matches no line break."""
    return "\n" not in text


def literal_prefix(value: str) -> str:
    """What every text that matches must begin with; "" where that can't be told from the value at a glance.

    An alternative (`|`) binds weaker than what stands before it, and a quantifier takes the character before it back.
    """
    if value.startswith("/") or "|" in value:
        return ""
    length = next((at for at, char in enumerate(value) if char in SPECIAL), len(value))
    if value[length : length + 1] in ("?", "+"):
        length -= 1
    return value[: max(length, 0)]
