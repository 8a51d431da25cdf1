"""The agents of simulated nodes: they tell that something of the fleet's has ended, as compose/node/agent.sh does."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Timer

QUIET_S = 1.0
"""One event for all that ends within this time on one node."""


class SimulatedAgents:
    """One agent a node; `tell(instance id)` publishes the event, on a thread of the agent's own."""

    def __init__(self, tell: Callable[[str], None], *, quiet_s: float = QUIET_S) -> None:
        self._tell = tell
        self._quiet_s = quiet_s
        self._waiting: dict[str, Timer] = {}
        self._lock = Lock()
        self._closed = False

    def something_ended(self, instance_id: str) -> None:
        """Have it told soon; does not wait."""
        with self._lock:
            if self._closed or instance_id in self._waiting:
                return
            timer = Timer(self._quiet_s, self._tell_now, [instance_id])
            timer.daemon = True
            self._waiting[instance_id] = timer
            timer.start()

    def close(self) -> None:
        """Tell nothing more; safe to repeat."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for timer in waiting:
            timer.cancel()

    def _tell_now(self, instance_id: str) -> None:
        with self._lock:
            if self._waiting.pop(instance_id, None) is None:
                return
        self._tell(instance_id)
