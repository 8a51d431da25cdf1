"""Texts by how they begin, without keeping them sorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SHORT = 4
LONG = 12

Several = dict[str, str | set[str]]
"""Texts by a beginning; a text that is alone in its beginning, as most are, needs no set."""


class Beginnings:
    """Distinct texts by their first twelve characters, and those beginnings by their first four.

    A prefix then leads to the texts that have it past few others, be it an id's first characters or a tenant's
    part of all its names. Adding and removing cost about as much as a dictionary's.
    """

    __slots__ = ("_long", "_short")

    def __init__(self, texts: Iterable[str]) -> None:
        self._long: Several = {}
        self._short: Several = {}
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """A text that was not there has come."""
        head = text[:LONG]
        if head not in self._long:
            _put(self._short, head[:SHORT], head)
        _put(self._long, head, text)

    def remove(self, text: str) -> None:
        """A text has gone."""
        head = text[:LONG]
        _take(self._long, head, text)
        if head not in self._long:
            _take(self._short, head[:SHORT], head)

    def having(self, prefix: str) -> Iterator[str]:
        """The texts that begin with the prefix, in no particular order."""
        for head in self._heads(prefix):
            for text in _all(self._long, head):
                if text.startswith(prefix):
                    yield text

    def _heads(self, prefix: str) -> Iterator[str]:
        if len(prefix) >= LONG:
            yield prefix[:LONG]
            return
        shorts = (
            (prefix[:SHORT],) if len(prefix) >= SHORT else [each for each in self._short if each.startswith(prefix)]
        )
        for short in shorts:
            for head in _all(self._short, short):
                if head.startswith(prefix):
                    yield head


def _put(several: Several, beginning: str, text: str) -> None:
    alike = several.get(beginning)
    if alike is None:
        several[beginning] = text
    elif isinstance(alike, set):
        alike.add(text)
    else:
        several[beginning] = {alike, text}


def _take(several: Several, beginning: str, text: str) -> None:
    alike = several[beginning]
    if isinstance(alike, set):
        alike.discard(text)
        if alike:
            return
    del several[beginning]


def _all(several: Several, beginning: str) -> Iterable[str]:
    alike = several.get(beginning, ())
    return (alike,) if isinstance(alike, str) else alike
