"""What the domain asks of regular expressions; their engine comes from outside (see `PlacementOptions`)."""

from __future__ import annotations

from collections.abc import Callable

Matcher = Callable[[str], bool]
"""Whether the pattern is found anywhere in a text."""
PatternCompiler = Callable[[str], Matcher]
"""Makes a matcher of a pattern in RE2's syntax. Raises UnsupportedPattern."""


class UnsupportedPattern(ValueError):
    """The pattern is wrong, or larger than what may be matched."""
