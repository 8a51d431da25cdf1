"""A clock that stands still until a test moves it."""

from __future__ import annotations


class FixedClock:
    """Answers the same time until `advance`."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> float:
        """Move on; returns the new time."""
        self._now += seconds
        return self._now
