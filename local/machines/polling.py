"""Waiting for what the kernel or another program does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(happened: Callable[[], bool], timeout_s: float, pause_s: float = 0.02) -> bool:
    """Whether it happened before the deadline; asked at least once, then every pause_s."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause_s)
    return True
