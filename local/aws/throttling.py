"""How many requests may pass: a token bucket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any


class Bucket:
    """A token bucket with the stage's rate and burst; without them everything passes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: float | None = None
        self._filled_at = 0.0

    def take(self, settings: Mapping[str, Any]) -> bool:
        """Whether one request more may pass now."""
        rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
        if rate is None or burst is None:
            return True
        with self._lock:
            now = self._clock()
            before = float(burst) if self._tokens is None else self._tokens
            tokens = min(float(burst), before + (now - self._filled_at) * float(rate))
            self._filled_at = now
            self._tokens = tokens - 1 if tokens >= 1 else tokens
            return tokens >= 1
