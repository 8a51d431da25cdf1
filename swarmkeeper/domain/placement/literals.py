"""What a text must contain for an expression's value to match it, read off the value at a glance.

Never too much is claimed: what isn't understood ends a literal, and an alternative at the top makes none certain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LITERAL_MIN = 2
"""Characters from which on a literal tells texts apart."""
READ_KEPT = 1024
TOKEN = re.compile(
    r"""(?P<opaque>\\[QCx0-9]|\\[pP]\{|\{|\}|[^\x00-\x7f])     # what nothing is concluded from
    |   (?P<class>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\\[pP].|\\[a-zA-Z]|\.)   # one character of several, or none
    |   (?P<flags>\(\?[a-zA-Z-]+\))
    |   (?P<open>\((?:\?(?:[a-zA-Z-]*:|P?<\w+>))?)
    |   (?P<close>\))
    |   (?P<either>\|)
    |   (?P<anchor>[\^$])
    |   (?P<char>\\[\x00-\x7f]|[^\\()\[\]|^$.*+?])
    |   (?P<repeat>[*+?]+)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Required:
    """What every text that matches begins with, and what it contains, longest first; letters in lower case there.

    A pattern may ignore case, so `parts` say only how the text reads in lower case.
    """

    prefix: str = ""
    parts: tuple[str, ...] = ()

    @property
    def is_sought(self) -> bool:
        """Whether texts can be found by it; else each has to be tried."""
        return len(self.prefix) >= LITERAL_MIN or bool(self.parts)


NOTHING = Required()


@lru_cache(READ_KEPT)
def required(value: str) -> Required:
    """What the value of an expression requires; nothing where that can't be told."""
    is_pattern = value.startswith("/") and value.endswith("/") and len(value) > 1
    pattern = value[1:-1] if is_pattern else f"^{value.replace('*', '.*')}$"
    runs = _runs(pattern)
    if runs is None:
        return NOTHING
    begins = pattern.startswith("^") and "(?" not in pattern  # with the flag m, ^ stands for any line's beginning
    prefix = runs[0][1] if begins and runs and runs[0][0] == 1 else ""
    parts = sorted({text.lower() for _, text in runs if len(text) >= LITERAL_MIN}, key=lambda each: (-len(each), each))
    return Required(prefix, tuple(parts))


def _runs(pattern: str) -> list[tuple[int, str]] | None:
    """Characters in a row that must stand in a text, and where in the pattern; None where that can't be told."""
    runs: list[tuple[int, str]] = []
    run, began, depth = "", 0, 0
    for at, kind, text in _tokens(pattern):
        if kind == "opaque" or (kind == "either" and not depth):
            return None
        depth += (kind == "open") - (kind == "close")
        if kind == "char" and not depth:
            began = began if run else at
            run += text[-1]
            continue
        if kind == "repeat" and text != "+":
            run = run[:-1]  # the character before it may be missing
        if run:
            runs.append((began, run))
        run = ""
    return [*runs, (began, run)] if run else runs


def _tokens(pattern: str) -> Iterator[tuple[int, str, str]]:
    at = 0
    while at < len(pattern):
        found = TOKEN.match(pattern, at)
        if found is None:
            yield at, "opaque", pattern[at:]
            return
        yield at, str(found.lastgroup), found[0]
        at = found.end()
