"""Published join tokens."""

from __future__ import annotations

from collections.abc import Mapping

from swarmkeeper.domain.model import Role
from tests.fakes.faults import Fallible, can_fail


class FakeTokens(Fallible):
    """`current` holds what nodes would read now; `publications` counts the writes."""

    def __init__(self) -> None:
        super().__init__()
        self.current: dict[Role, str] = {}
        self.publications = 0

    @can_fail
    def publish(self, tokens: Mapping[Role, str]) -> None:
        self.current.update(tokens)
        self.publications += 1
