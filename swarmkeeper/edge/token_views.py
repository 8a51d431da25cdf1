"""What callers are told of the join tokens: when they were rotated, never what they are."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from swarmkeeper.domain.rotation import Rotation
from swarmkeeper.edge.views import View


class TokensView(View):
    """How the join tokens stand; times in seconds since the epoch, null for never."""

    asked_at: float | None = Field(description="When somebody last asked for new ones.")
    begun_at: float | None = Field(description="When the last rotation was begun.")
    rotated_at: float | None = Field(description="When new tokens were last in place for nodes to read.")
    under_way: bool = Field(description="Whether new ones are asked for and not yet in place.")

    @classmethod
    def of(cls, rotation: Rotation) -> Self:
        return cls(
            asked_at=rotation.asked_at or None,
            begun_at=rotation.begun_at or None,
            rotated_at=rotation.ended_at or None,
            under_way=rotation.is_awaited,
        )
