"""Things to do later, done one after another by one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

Action = Callable[[], object]


class Timers:
    """Runs actions when they are due. They share a thread, so an action must be short."""

    def __init__(self, name: str) -> None:
        self._due: list[tuple[float, int, Action]] = []
        self._order = itertools.count()  # keeps the order of actions that are due at the same time
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def after(self, delay_s: float, action: Action) -> None:
        """Run `action` in `delay_s` seconds; nothing happens once the timers are stopped."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), action))
            self._changed.notify()

    def every(self, interval_s: float, action: Action) -> None:
        """Run `action` again and again, `interval_s` seconds after the last time ended."""

        def again() -> None:
            try:
                action()
            finally:
                self.after(interval_s, again)

        self.after(interval_s, again)

    def stop(self) -> None:
        """Drop what isn't due yet and wait for the action in progress; may be called twice."""
        with self._changed:
            self._stopping = True
            self._due.clear()
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while (action := self._next()) is not None:
            try:
                action()
            except Exception:  # one failed delivery must not end all the others
                logger.exception("a timed action failed")

    def _next(self) -> Action | None:
        """Wait for the next action that is due; None when stopping."""
        with self._changed:
            while not self._stopping:
                if not self._due:
                    self._changed.wait()
                    continue
                wait_s = self._due[0][0] - time.monotonic()
                if wait_s <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait_s)
        return None
