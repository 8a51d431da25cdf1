"""The machine's clock."""

from __future__ import annotations

import time


class SystemClock:
    """Clock by the operating system; Lambda keeps it in step."""

    def now(self) -> float:
        return time.time()
