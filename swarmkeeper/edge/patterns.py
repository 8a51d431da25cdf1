"""Regular expressions by RE2, which matches in time linear to the text, whatever the pattern.

Its syntax is that of Go's `regexp`, which classic Swarm used, but for `\\C` (any byte), which Go refuses and so do
we. A pattern's cost is bounded by construction: its length, its number of Unicode classes (the one thing that is
costly to read), and the memory of its program, which bounds the steps for each character of the text.
`swarmkeeper bench expressions` measures the worst that these bounds let through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import re2  # type: ignore[import-untyped]  # it ships no types

from swarmkeeper.domain.placement.patterns import Matcher, UnsupportedPattern

PATTERN_CHARACTERS_MAX = 1024
UNICODE_CLASSES_MAX = 16
MEMORY_BYTES_MAX = 28 * 1024
"""What a compiled pattern may take: some 190 wildcards, or one Unicode class of letters."""


@dataclass(frozen=True, slots=True)
class PatternLimits:
    """What one pattern may have; `memory_bytes` bounds its program, and so the time for each character of a text."""

    characters: int
    unicode_classes: int
    memory_bytes: int


FLEET_LIMITS = PatternLimits(PATTERN_CHARACTERS_MAX, UNICODE_CLASSES_MAX, MEMORY_BYTES_MAX)
"""Where tenants write patterns."""
OFFLINE_LIMITS = PatternLimits(65_536, 1024, 2**20)
"""Where who writes them waits for them alone; as good as classic Swarm's, which had none."""

ESCAPES = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(?P<escaped>.)", re.DOTALL)
"""What a backslash begins: a quotation up to \\E, in which nothing is special, or a single escape."""


def compile_re2(pattern: str) -> Matcher:
    """A matcher that searches for the pattern anywhere. Raises UnsupportedPattern saying what is wrong with it."""
    return _compile_within(FLEET_LIMITS, pattern)


def compile_offline(pattern: str) -> Matcher:
    """As `compile_re2`, but for larger patterns: where nobody else waits. Raises UnsupportedPattern."""
    return _compile_within(OFFLINE_LIMITS, pattern)


def _compile_within(limits: PatternLimits, pattern: str) -> Matcher:
    if len(pattern) > limits.characters:
        raise UnsupportedPattern(f"has {len(pattern)} characters; a pattern may have {limits.characters}")
    escapes = [found["escaped"] for found in ESCAPES.finditer(pattern)]
    if "C" in escapes:
        raise UnsupportedPattern("\\C (any byte) is not supported")
    if escapes.count("p") + escapes.count("P") > limits.unicode_classes:
        raise UnsupportedPattern(f"has more than {limits.unicode_classes} Unicode classes")
    search = _compiled(_well_formed(pattern), limits.memory_bytes)
    return lambda text: search(_well_formed(text)) is not None


def _compiled(pattern: bytes, memory_bytes: int) -> Callable[[bytes], object]:
    try:
        return cast(Callable[[bytes], object], re2.compile(pattern, _options(memory_bytes)).search)
    except re2.error as error:
        problem = error.args[0] if error.args else "is not a pattern"
        raise UnsupportedPattern(problem.decode(errors="replace") if isinstance(problem, bytes) else problem) from error


def _options(memory_bytes: int) -> re2.Options:
    options = re2.Options()
    options.max_mem = memory_bytes
    options.log_errors = False
    options.never_capture = True  # only whether something is found matters
    return options


def _well_formed(text: str) -> bytes:
    """The text in UTF-8; half a surrogate pair, which JSON can spell, is read as Go reads it: U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
