"""What the emulated services need from the event bus, and how AWS writes times and ARNs in events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Emitter(Protocol):
    """The default event bus, seen by a service that puts native events on it."""

    def emit(
        self, *, source: str, detail_type: str, detail: Mapping[str, object], resources: Sequence[str] = ()
    ) -> str:
        """Put an event on the bus and return its id."""


@dataclass(frozen=True, slots=True)
class Event:
    """A native event that waits to be put on the bus."""

    source: str
    detail_type: str
    detail: Mapping[str, object]
    resources: tuple[str, ...] = ()

    def put(self, bus: Emitter) -> None:
        """Put it on the bus."""
        bus.emit(source=self.source, detail_type=self.detail_type, detail=self.detail, resources=self.resources)


def utc(at: float) -> datetime:
    """A time without a zone, in UTC, as moto keeps times."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def seconds_iso(at: float) -> str:
    """`2025-01-31T12:00:00Z`."""
    return utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def millis_iso(at: float) -> str:
    """`2025-01-31T12:00:00.000Z`."""
    return utc(at).isoformat(timespec="milliseconds") + "Z"
