"""An event bus that keeps what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swarmkeeper.ports import Event
from tests.fakes.faults import Fallible, can_fail


class FakeEvents(Fallible):
    """`published` holds (event, detail) in order."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[tuple[Event, dict[str, str]]] = []

    @can_fail
    def publish(self, event: Event, details: Sequence[Mapping[str, str]]) -> None:
        self.published.extend((event, dict(detail)) for detail in details)

    def of(self, event: Event) -> list[dict[str, str]]:
        """The details published for this event, in order."""
        return [detail for published, detail in self.published if published is event]
