"""Texts by the three characters in a row that stand in them, for patterns that don't say how a text begins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

SIZE = 3
END = "\n" * (SIZE - 1)
"""Stands after each text, so that its last characters begin a gram too."""
DIGEST = re.compile("[0-9a-f]{32,}")
"""An id or digest: sixty grams that any other has too, so that nothing is won by keeping them."""
HEX = re.compile("[0-9a-f]+")
STALE_MIN = 4096
"""Texts that have gone are forgotten when they are this many and more than those that are there."""


class Grams:
    """Distinct texts by their grams in lower case; ids apart, which only what is hexadecimal can be found in.

    Coming and going cost next to nothing: texts that have come are divided when somebody asks, and those that have gone
    stay until there are many. Who asks looks whether a candidate is there.
    """

    __slots__ = ("_digests", "_gone", "_kept", "_new", "_starts")

    def __init__(self, texts: Iterable[str]) -> None:
        self._fill(texts)

    def put(self, text: str) -> None:
        """A text has come."""
        self._new[text] = None

    def _divide(self, text: str) -> None:
        if DIGEST.fullmatch(text):
            self._digests[text] = None
        elif text not in self._kept:
            self._kept.add(text)
            low = text.casefold() + END  # as patterns that ignore case fold; what they look for is in ASCII
            for gram in {low[at : at + SIZE] for at in range(len(low) - SIZE + 1)}:
                ends = self._starts.get(gram[:-1])
                if ends is None:
                    ends = self._starts[gram[:-1]] = {}
                texts = ends.get(gram[-1])
                if texts is None:
                    ends[gram[-1]] = [text]
                else:
                    texts.append(text)

    def remove(self, text: str) -> None:
        """A text has gone."""
        if self._new.pop(text, self) is self:
            self._gone += 1

    def settle(self, there: Iterable[str]) -> None:
        """Divide what has come; `there` are all texts, of which those that have gone are forgotten if they are many."""
        if self._gone > max(STALE_MIN, len(self._kept) // 2):
            self._fill(there)
        for text in self._new:
            self._divide(text)
        self._new.clear()

    def having(self, parts: Iterable[str]) -> Iterator[str]:
        """The texts that contain the longest part, in lower case, of two characters or more; perhaps some twice.

        Texts that came since they were settled are not found.
        """
        wanted = list(parts)
        longest = max(wanted, key=len)
        lists = min((self._lists(part) for part in wanted), key=lambda each: sum(map(len, each)))
        for texts in lists:
            yield from [text for text in texts if longest in text.casefold()]
        if all(map(HEX.fullmatch, wanted)):
            yield from [text for text in self._digests if longest in text]

    def _lists(self, part: str) -> list[list[str]]:
        """Where the texts with the part are: under each gram that begins with two characters, or its rarest gram."""
        if len(part) < SIZE:
            return list(self._starts.get(part, {}).values())
        grams = {part[at : at + SIZE] for at in range(len(part) - SIZE + 1)}
        return [min((self._starts.get(gram[:-1], {}).get(gram[-1], []) for gram in grams), key=len)]

    def _fill(self, texts: Iterable[str]) -> None:
        self._starts: dict[str, dict[str, list[str]]] = {}
        self._kept: set[str] = set()
        self._digests: dict[str, None] = {}
        self._gone = 0
        self._new: dict[str, None] = dict.fromkeys(texts)
