"""When a router begins to answer for a container, and when it stops."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field

PERIOD_S = 0.002
LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: its status, and the wall time when it was asked for and when it was there."""

    status: int
    asked_at: float
    answered_at: float


@dataclass(slots=True)
class Watch:
    """Asks a router for a name over and over, on one kept connection, while the block runs."""

    address: str
    port: int
    host: str
    seen: list[Seen] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._ask_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def first(self, status: int, *, since: float) -> Seen:
        """The first answer of that status asked for at or after a time; raises TimeoutError when none comes."""
        found: list[Seen] = []

        def is_there() -> bool:
            found[:] = [each for each in self.seen if each.status == status and each.asked_at >= since][:1]
            return bool(found)

        with self._news:
            if not self._news.wait_for(is_there, LIMIT_S):
                raise TimeoutError(f"{self.host} does not answer {status} within {LIMIT_S:g} s")
        return found[0]

    def _ask_on(self) -> None:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=LIMIT_S)
        while not self._stop.is_set():
            asked_at = time.time()
            connection.request("GET", "/", headers={"Host": self.host})
            answer = connection.getresponse()
            answer.read()
            with self._news:
                self.seen.append(Seen(answer.status, asked_at, time.time()))
                self._news.notify_all()
            self._stop.wait(PERIOD_S)
        connection.close()
