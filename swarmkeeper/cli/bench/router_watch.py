"""When a router begins to answer for a container, and when it stops."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PERIOD_S = 0.02
LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: its status, and the wall time when it was asked for and when it was there."""

    status: int
    asked_at: float
    answered_at: float


@dataclass(slots=True)
class Watch:
    """Asks a router for a name every so often, each time on a connection of its own, while the block runs.

    One question does not wait for the answer to the one before it: that may be one which nobody answers.
    """

    address: str
    port: int
    host: str
    seen: list[Seen] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Watch:
        self._start(self._ask_on)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        # The first of them makes the others, and so ends before the last is known.
        self._threads[0].join()
        for thread in self._threads:
            thread.join()

    def first(self, status: int, *, since: float) -> Seen:
        """The first to arrive of the answers of that status that were asked for at or after a time.

        Raises TimeoutError when none comes.
        """
        found: list[Seen] = []

        def is_there() -> bool:
            found[:] = [each for each in self.seen if each.status == status and each.asked_at >= since][:1]
            return bool(found)

        with self._news:
            if not self._news.wait_for(is_there, LIMIT_S):
                raise TimeoutError(f"{self.host} does not answer {status} within {LIMIT_S:g} s")
        return found[0]

    def _start(self, what: Callable[[], None]) -> None:
        thread = threading.Thread(target=what, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _ask_on(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self._start(self._ask)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=LIMIT_S)
        asked_at = time.time()
        try:
            connection.request("GET", "/", headers={"Host": self.host})
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        with self._news:
            self.seen.append(Seen(answer.status, asked_at, time.time()))
            self._news.notify_all()
