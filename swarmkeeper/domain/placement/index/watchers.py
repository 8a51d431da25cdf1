"""Patterns that expressions have asked for, with their nodes kept current as texts come and go."""

from __future__ import annotations

from collections.abc import Iterator

from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.holders import Holders
from swarmkeeper.domain.placement.literals import required
from swarmkeeper.domain.placement.patterns import Matcher

WATCHED = 256
"""Patterns kept for one kind of text; beyond it, the one that was unused for longest is dropped."""
IDLE = 1024
"""Changes of texts after which a pattern that is shown many texts is dropped if it was not asked for meanwhile."""


class Watcher(Holders):
    """The nodes of all texts that a pattern matches."""

    __slots__ = ("is_narrow", "matches", "prefix", "used", "value")

    def __init__(self, value: str, matches: Matcher) -> None:
        super().__init__()
        self.value = value
        self.used = 0
        """How many changes there had been when it was last asked for."""
        wanted = required(value)
        self.prefix = wanted.prefix
        self.is_narrow = bool(wanted.prefix) and len(wanted.prefix) == max(map(len, wanted.parts), default=1)
        """Whether how a text begins says most of what the pattern says, so that it is shown few others."""
        self.matches = has_one_line if value == f"{self.prefix}*" else matches
        """Asked of texts that have the prefix only."""


class Watchers:
    """The patterns that are kept. A text is only shown to those whose prefix it has: one look-up for each length.

    One that is not narrow is shown many others, so it is kept from its second use on only, and while it is used.
    """

    __slots__ = ("_asked", "_by_prefix", "_by_value", "_changes", "_wide", "lengths")

    def __init__(self) -> None:
        self._asked: dict[str, None] = {}
        """Patterns that were asked for once, without being kept."""
        self._changes = 0
        self._wide: dict[str, Watcher] = {}
        """Those that are not narrow."""
        self._by_value: dict[str, Watcher] = {}
        self._by_prefix: dict[str, list[Watcher]] = {}
        self.lengths: tuple[int, ...] = ()
        """The lengths of the prefixes; empty when nothing is watched."""

    def get(self, value: str) -> Watcher | None:
        """The pattern's watcher, if there is one."""
        watcher = self._by_value.pop(value, None)
        if watcher is not None:
            self._by_value[value] = watcher  # last in the dictionary is last used
            watcher.used = self._changes
        return watcher

    def was_asked(self, value: str) -> bool:
        """Whether a pattern that is not kept was asked for before; from now on it was."""
        if value in self._asked:
            return True
        if len(self._asked) >= WATCHED:
            del self._asked[next(iter(self._asked))]
        self._asked[value] = None
        return False

    def keep(self, watcher: Watcher) -> None:
        """Keep a new watcher, which knows the texts that are there."""
        if len(self._by_value) >= WATCHED:
            self._drop(self._by_value.pop(next(iter(self._by_value))))
        watcher.used = self._changes
        self._by_value[watcher.value] = watcher
        if not watcher.is_narrow:
            self._wide[watcher.value] = watcher
        self._by_prefix.setdefault(watcher.prefix, []).append(watcher)
        self._measure()

    def add(self, text: str, entry: NodeEntry) -> None:
        """A node has the text once more."""
        self._changes += 1
        if self._wide:
            self._drop_idle()
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

    def _drop_idle(self) -> None:
        for watcher in [each for each in self._wide.values() if self._changes - each.used > IDLE]:
            self._drop(self._by_value.pop(watcher.value))

    def _drop(self, watcher: Watcher) -> None:
        self._wide.pop(watcher.value, None)
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
