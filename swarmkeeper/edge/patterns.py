"""Regular expressions by RE2, which matches in time linear to the text, whatever the pattern.

Its syntax is that of Go's `regexp`, which classic Swarm used, but for `\\C` (any byte), which Go refuses and so do
we. A pattern's cost is bounded by construction: its length, its number of Unicode classes (the one thing that is
costly to read), and the memory of its program, which bounds the steps for each character of the text.
`swarmkeeper bench expressions` measures the worst that these bounds let through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import re2  # type: ignore[import-untyped]  # it ships no types

from swarmkeeper.domain.placement.patterns import Matcher, UnsupportedPattern

PATTERN_CHARACTERS_MAX = 1024
UNICODE_CLASSES_MAX = 16
MEMORY_BYTES_MAX = 28 * 1024
"""What a compiled pattern may take: some 190 wildcards, or one Unicode class of letters."""

ESCAPES = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(?P<escaped>.)", re.DOTALL)
"""What a backslash begins: a quotation up to \\E, in which nothing is special, or a single escape."""


def compile_re2(pattern: str) -> Matcher:
    """A matcher that searches for the pattern anywhere. Raises UnsupportedPattern saying what is wrong with it."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise UnsupportedPattern(f"has {len(pattern)} characters; a pattern may have {PATTERN_CHARACTERS_MAX}")
    escapes = [found["escaped"] for found in ESCAPES.finditer(pattern)]
    if "C" in escapes:
        raise UnsupportedPattern("\\C (any byte) is not supported")
    if escapes.count("p") + escapes.count("P") > UNICODE_CLASSES_MAX:
        raise UnsupportedPattern(f"has more than {UNICODE_CLASSES_MAX} Unicode classes")
    search = _compiled(_well_formed(pattern))
    return lambda text: search(_well_formed(text)) is not None


def _compiled(pattern: bytes) -> Callable[[bytes], object]:
    try:
        return cast(Callable[[bytes], object], re2.compile(pattern, _options()).search)
    except re2.error as error:
        problem = error.args[0] if error.args else "is not a pattern"
        raise UnsupportedPattern(problem.decode(errors="replace") if isinstance(problem, bytes) else problem) from error


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = MEMORY_BYTES_MAX
    options.log_errors = False
    options.never_capture = True  # only whether something is found matters
    return options


def _well_formed(text: str) -> bytes:
    """The text in UTF-8; half a surrogate pair, which JSON can spell, is read as Go reads it: U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
