"""Whether containers can be attached to an overlay: only while the Swarm has a leader."""

from __future__ import annotations

from swarmkeeper.ports import Clock
from swarmkeeper.services.managers import Managers

NOTHING_STARTS = "no container on an overlay network can start"
ASK_AGAIN_S = 5.0
"""Between two questions while there is none: what is asked for meanwhile waits without trying."""


class Leadership:
    """Asked when a start has failed, and then before each until a leader is back; a fleet that is well pays nothing."""

    def __init__(self, *, managers: Managers, clock: Clock) -> None:
        self._managers = managers
        self._clock = clock
        self._problem = ""
        self._asked_at = 0.0

    def known_problem(self, *, last_told: str = "") -> str:
        """Why no container on an overlay can start, where this process has found so and it still holds; else "".

        `last_told` is why a container waits: another process may have found it.
        """
        is_suspected = self._problem or NOTHING_STARTS in last_told
        if is_suspected and self._clock.now() >= self._asked_at + ASK_AGAIN_S:
            return self.problem()
        return self._problem

    def problem(self) -> str:
        """Ask now."""
        why = self._managers.why_leaderless()
        self._problem = f"{why}: {NOTHING_STARTS}" if why else ""
        self._asked_at = self._clock.now()
        return self._problem
