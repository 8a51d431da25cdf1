"""Engines that are slow and fail now and then, by a seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random

from local.machines.simulated_engine import Faults
from local.machines.simulated_network import Refusal

WORK = frozenset({"create", "start", "remove"})
"""What takes an engine its time, and what fails."""
KINDS = ("refused", "broken off before", "broken off after")


@dataclass(slots=True)
class Weather:
    """What befalls the engines of a fleet; `met` counts it by kind."""

    latency_s: float
    failure_rate: float
    random: Random
    met: Counter[str] = field(default_factory=Counter)

    def faults(self) -> Faults:
        """The faults of one engine. Each call of an operation asks for its latency, refusal and loss in turn."""
        drawn = _Drawn(self)
        return Faults(latency=drawn.latency, refusal=drawn.refusal, loses_answer=drawn.loses_answer)


class _Drawn:
    """One engine's luck; all calls come from one event loop, one after another."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather

    def latency(self, operation: str) -> float:
        """Half to one and a half of the set latency. Raises ConnectionResetError: nothing was done."""
        if operation not in WORK:
            return 0.0
        if self._fails("broken off before"):
            raise ConnectionResetError
        return self._weather.latency_s * self._weather.random.uniform(0.5, 1.5)

    def refusal(self, operation: str) -> Refusal | None:
        if operation in WORK and self._fails("refused"):
            return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "simulated: the engine fails")
        return None

    def loses_answer(self, operation: str) -> bool:
        return operation in WORK and self._fails("broken off after")

    def _fails(self, kind: str) -> bool:
        if self._weather.random.random() >= self._weather.failure_rate / len(KINDS):
            return False
        self._weather.met[kind] += 1
        return True
