"""The agents of simulated nodes: they tell that something of the fleet's has ended, as compose/node/agent.sh does."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Timer

QUIET_S = 1.0
"""One event for all that ends within this time on one node."""
AGAIN_S = 60.0
"""So long after it began to listen an agent tells so once more."""


class SimulatedAgents:
    """One agent a node; `tell(instance id)` publishes the event, on a thread of the agent's own."""

    def __init__(self, tell: Callable[[str], None], *, quiet_s: float = QUIET_S, again_s: float = AGAIN_S) -> None:
        self._tell = tell
        self._quiet_s = quiet_s
        self._again_s = again_s
        self._waiting: dict[str, Timer] = {}
        self._again: dict[str, Timer] = {}
        self._lock = Lock()
        self._closed = False

    def something_ended(self, instance_id: str) -> None:
        """Have it told soon; does not wait."""
        with self._lock:
            if not self._closed and instance_id not in self._waiting:
                self._waiting[instance_id] = _begun(self._quiet_s, self._tell_now, instance_id)

    def began_to_listen(self, instance_id: str) -> None:
        """Have it told soon that something may have ended unheard, and once more later; does not wait."""
        self.something_ended(instance_id)
        with self._lock:
            if instance_id in self._again:
                self._again.pop(instance_id).cancel()
            if not self._closed:
                self._again[instance_id] = _begun(self._again_s, self.something_ended, instance_id)

    def close(self) -> None:
        """Tell nothing more; safe to repeat."""
        with self._lock:
            self._closed = True
            timers = [*self._waiting.values(), *self._again.values()]
            self._waiting, self._again = {}, {}
        for timer in timers:
            timer.cancel()

    def _tell_now(self, instance_id: str) -> None:
        with self._lock:
            if self._waiting.pop(instance_id, None) is None:
                return
        self._tell(instance_id)


def _begun(after_s: float, call: Callable[[str], None], instance_id: str) -> Timer:
    timer = Timer(after_s, call, [instance_id])
    timer.daemon = True
    timer.start()
    return timer
