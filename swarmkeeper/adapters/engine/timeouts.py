"""How long an engine may take, by operation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

QUICK_S = 5.0
"""What only reads: an engine that needs longer is in trouble."""
LONGEST_S = {
    "list managers": 3.0,  # asked of one after the other; one that has just lost its leader hangs
    "create": 7.0,  # p99 of a busy engine is below 2 s
    "start": 9.0,  # attaches the network, for which a worker asks the Swarm's managers
    "measure layer": 9.0,  # by its files, of which there may be many
    "look at the router": 3.0,
    "attach the router": 9.0,  # as a start does
    "detach the router": 9.0,
    "make folders": 9.0,  # of a shared volume that this engine has never had
    "stop": 15.0,  # 10 s of grace are the container's
    "resume": 12.0,
    "remove": 15.0,
}
TO_RUN_S = LONGEST_S["create"] + LONGEST_S["start"]
"""The longest that an engine may take from the first word to a started container, or to no answer."""
LEAST_S = 0.05

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for a connection, and for a whole operation (None: as long as the operation may take)."""

    connect_s: float = 2.0
    answer_s: float | None = None

    @contextmanager
    def over(self, operation: str) -> Iterator[None]:
        """All requests made inside, on this thread, share the operation's time."""
        longest_s = LONGEST_S.get(operation, QUICK_S) if self.answer_s is None else self.answer_s
        token = _deadline.set(time.monotonic() + longest_s)
        try:
            yield
        finally:
            _deadline.reset(token)


def time_left_s(otherwise: float) -> float:
    """What is left of the running operation's time; `otherwise` outside of any. Never 0, which means for ever."""
    deadline = _deadline.get()
    return otherwise if deadline is None else max(LEAST_S, deadline - time.monotonic())
