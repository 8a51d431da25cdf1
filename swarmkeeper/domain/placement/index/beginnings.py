"""Texts by how they begin, without keeping them sorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SHORT = 4
LONG = 12


class Beginnings:
    """Distinct texts by their first twelve characters, and those beginnings by their first four.

    A prefix then leads to the texts that have it past few others, be it an id's first characters or a tenant's
    part of all its names. Adding and removing cost about as much as a dictionary's.
    """

    __slots__ = ("_long", "_short")

    def __init__(self, texts: Iterable[str]) -> None:
        self._long: dict[str, str | set[str]] = {}
        self._short: dict[str, set[str]] = {}
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """A text that was not there has come."""
        head = text[:LONG]
        alike = self._long.get(head)
        if alike is None:
            self._long[head] = text
            self._short.setdefault(head[:SHORT], set()).add(head)
        elif isinstance(alike, str):
            self._long[head] = {alike, text}
        else:
            alike.add(text)

    def remove(self, text: str) -> None:
        """A text has gone."""
        head = text[:LONG]
        alike = self._long[head]
        if not isinstance(alike, str):
            alike.discard(text)
            if alike:
                return
        del self._long[head]
        heads = self._short[head[:SHORT]]
        heads.discard(head)
        if not heads:
            del self._short[head[:SHORT]]

    def having(self, prefix: str) -> Iterator[str]:
        """The texts that begin with the prefix, in no particular order."""
        for head in self._heads(prefix):
            alike = self._long[head]
            for text in (alike,) if isinstance(alike, str) else alike:
                if text.startswith(prefix):
                    yield text

    def _heads(self, prefix: str) -> Iterator[str]:
        if len(prefix) >= LONG:
            if prefix[:LONG] in self._long:
                yield prefix[:LONG]
            return
        shorts = (
            (prefix[:SHORT],) if len(prefix) >= SHORT else [each for each in self._short if each.startswith(prefix)]
        )
        for short in shorts:
            for head in self._short.get(short, ()):
                if head.startswith(prefix):
                    yield head
