"""How deliveries go wrong on AWS: late, in another order, and sometimes twice."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What deliveries suffer. Different lags are also what brings them out of order."""

    lag_s: tuple[float, float] = (0.05, 0.4)
    """The least and the most time between an event and its delivery."""
    duplicate_share: float = 0.05
    """The share of deliveries, 0 to 1, that are made twice."""
    lost_share: float = 0.0
    """The share that is never made. AWS promises none; whoever relies on that finds out here."""
    seed: int | None = None
    """Makes a run's lags and duplicates repeat; None takes fresh ones."""


UNDISTURBED = Disturbance(lag_s=(0.0, 0.0), duplicate_share=0.0)


class Dice:
    """Draws from a Disturbance; thread-safe."""

    def __init__(self, disturbance: Disturbance) -> None:
        self.disturbance = disturbance
        """May be replaced while deliveries go on; the draws go on where they were."""
        self._random = random.Random(disturbance.seed)  # noqa: S311  guards no secret
        self._lock = threading.Lock()

    def lags_s(self) -> tuple[float, ...]:
        """When one thing is delivered, in seconds from now: once, now and then twice, or where told so never."""
        with self._lock:
            disturbance = self.disturbance
            if disturbance.lost_share and self._random.random() < disturbance.lost_share:
                return ()
            times = 2 if self._random.random() < disturbance.duplicate_share else 1
            return tuple(self._random.uniform(*disturbance.lag_s) for _ in range(times))

    def fraction(self) -> float:
        """A number above 0 and at most 1."""
        with self._lock:
            return 1.0 - self._random.random()
