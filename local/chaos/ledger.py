"""What was asked of the fleet and what it said to that: the outside view of I3."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """Where a name stands by what we were told."""

    ASKED = "asked"
    """No answer yet, or none that says anything: it may be there or not."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REMOVING = "removing"
    """We have asked for its removal and were told nothing certain: it may be there or not."""
    REMOVED = "removed"
    MISSED = "missed"
    """Accepted, never removed by us, and yet unknown when we asked for its removal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and what is known of it."""

    name: str
    movable: bool
    fate: Fate


class Ledger:
    """Thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    def ask(self, name: str, *, movable: bool) -> None:
        self._write(Entry(name, movable, Fate.ASKED))

    def note(self, name: str, fate: Fate) -> None:
        self._write(Entry(name, self._entries[name].movable, fate))

    def fate(self, name: str) -> Fate:
        return self._entries[name].fate

    def of(self, *fates: Fate) -> list[str]:
        """The names that stand so, in the order in which they were asked for."""
        return [entry.name for entry in self.entries() if entry.fate in fates]

    def entries(self) -> tuple[Entry, ...]:
        with self._lock:
            return tuple(self._entries.values())

    def counts(self) -> dict[str, int]:
        return dict(Counter(str(entry.fate) for entry in self.entries()))

    def _write(self, entry: Entry) -> None:
        with self._lock:
            self._entries[entry.name] = entry
