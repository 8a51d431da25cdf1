"""What the console's page is told of the fleet, as plain values."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from swarmkeeper.cli.api import Api

DECISIONS = 50
"""The newest scaling decisions that are shown."""
DAY_S = 86_400.0


@dataclass(slots=True)
class Feed:
    """Reads the fleet at most once in `every_s` seconds, however many pages are open."""

    api: Api
    every_s: float
    now: Callable[[], float] = time.time
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read: dict[str, Any] | None = None

    def fleet(self) -> dict[str, Any]:
        """`at` (seconds since the epoch), `every_s`, `nodes`, `containers`, `decisions` as the API tells them.

        Raises ApiError.
        """
        with self._lock:
            if self._read is None or self.now() - self._read["at"] >= self.every_s:
                self._read = self._look()
            return self._read

    def forget(self) -> None:
        """Something was changed: have the fleet read again."""
        with self._lock:
            self._read = None

    def _look(self) -> dict[str, Any]:
        at = self.now()
        return {
            "at": at,
            "every_s": self.every_s,
            "nodes": self.api.nodes(),
            "containers": list(self.api.containers()),
            "decisions": list(self.api.decisions(pool=None, since=at - DAY_S, most=DECISIONS)),
        }
