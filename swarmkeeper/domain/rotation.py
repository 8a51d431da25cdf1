"""When the Swarm's join tokens are made anew."""

from __future__ import annotations

from dataclasses import dataclass

CLAIM_S = 60.0
"""A rotation that has not ended by then is begun again: the function that began it has ended."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """How the tokens stand; times in seconds since the epoch, 0 for never."""

    asked_at: float = 0.0
    begun_at: float = 0.0
    ended_at: float = 0.0

    @property
    def is_under_way(self) -> bool:
        return self.begun_at > self.ended_at

    @property
    def is_awaited(self) -> bool:
        """Whether new tokens are asked for, or being made, and not yet in place."""
        return self.is_under_way or self.asked_at > self.begun_at

    def is_due(self, now: float, every_s: float | None) -> bool:
        """Whether somebody has asked since the last one was begun, one was cut off, or its time has come."""
        if self.is_under_way:
            return now >= self.begun_at + CLAIM_S
        return self.is_awaited or (every_s is not None and 0 < self.ended_at <= now - every_s)
