"""A steady load: containers come and go through the fleet's own interface, and every answer is kept."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Protocol

from local.chaos.ledger import Fate, Ledger
from swarmkeeper.cli.fleet import Answer, FleetError
from swarmkeeper.cli.requests import create_body

CALLERS = 3
PAUSE_S = 1.0
"""Between two calls of one caller, unless told otherwise."""
AGAIN_S = 1.0
"""Until a call is made again."""
TRIES = 10
"""Of a call that got no answer that says anything."""
UNMOVABLE_EVERY = 4


class Asked(Protocol):
    """The fleet's interface, as swarmkeeper.cli.fleet has it."""

    def create(self, request: Mapping[str, object]) -> Answer: ...

    def remove(self, name: str) -> Answer: ...


class Load:
    """Keeps some `size` containers living, half by creates and half by removes once there are as many.

    `pause_s`: between two calls of each of three callers.
    """

    def __init__(
        self, fleet: Asked, image: str, ledger: Ledger, *, size: int, seed: int, pause_s: float = PAUSE_S
    ) -> None:
        self._fleet = fleet
        self._image = image
        self._ledger = ledger
        self._size = size
        self._pause_s = pause_s
        self._dice = random.Random(seed)  # noqa: S311  guards no secret
        self._numbers = 0
        self._taken: set[str] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for number in range(CALLERS):
            thread = threading.Thread(target=self._call_on, name=f"chaos-load-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Call no more; returns when the callers have finished. Safe to repeat."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def finish(self) -> None:
        """Ask once more for each removal that nothing certain was said to, and remove what may or may not be there."""
        unsure = self._ledger.of(Fate.ASKED, Fate.REMOVING)
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(lambda name: self.remove(name, tries=1), unsure))

    def _call_on(self) -> None:
        while not self._ending.wait(self._pause_s):
            self._next_call()()

    def _next_call(self) -> Callable[[], None]:
        with self._lock:
            living = [name for name in self._ledger.of(Fate.ACCEPTED) if name not in self._taken]
            share = len(living) / self._size
            if self._dice.random() * 2 > share:
                self._numbers += 1
                number = self._numbers
                return lambda: self.create(f"chaos-{number}", movable=number % UNMOVABLE_EVERY != 0)
            name = self._dice.choice(living)
            self._taken.add(name)
            return lambda: self.remove(name)

    def create(self, name: str, *, movable: bool) -> None:
        """Ask for one until the answer says something, and note it."""
        body = create_body(name, self._image, cpus="0.1", memory="64MiB", environment=[f"NAME={name}"], movable=movable)
        self._ledger.ask(name, movable=movable)
        for attempt in range(TRIES):
            status = self._status(lambda: self._fleet.create(body))
            if status in (HTTPStatus.CREATED, HTTPStatus.ACCEPTED):
                return self._ledger.note(name, Fate.ACCEPTED)
            if status == HTTPStatus.CONFLICT and attempt:  # the call that seemed to fail has come through
                return self._ledger.note(name, Fate.ACCEPTED)
            if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                return self._ledger.note(name, Fate.REFUSED)
            if self._ending.wait(AGAIN_S):
                return None
        return None  # it stays asked

    def remove(self, name: str, *, tries: int = TRIES) -> None:
        """Ask for its removal until the answer says something, so often at the most, and note it."""
        was_accepted = self._ledger.fate(name) is Fate.ACCEPTED
        self._ledger.note(name, Fate.REMOVING)
        for attempt in range(tries):
            if attempt:
                time.sleep(AGAIN_S)
            status = self._status(lambda: self._fleet.remove(name))
            if status == HTTPStatus.OK:
                return self._ledger.note(name, Fate.REMOVED)
            if status == HTTPStatus.NOT_FOUND:
                missed = was_accepted and not attempt
                return self._ledger.note(name, Fate.MISSED if missed else Fate.REMOVED)
        return None  # it stays in removal

    def _status(self, call: Callable[[], Answer]) -> int | None:
        """None when nothing certain was said."""
        try:
            return call()["status"]
        except FleetError:
            return None
