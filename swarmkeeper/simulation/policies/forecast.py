"""Our policy with the forecast: nodes for what the same time of the last weeks brought, bought a boot time ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from math import ceil
from operator import attrgetter

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU
from swarmkeeper.domain.scaling.forecast import Load, forecast_floor, rise
from swarmkeeper.domain.scaling.tracking import Datapoint
from swarmkeeper.simulation.fleet import Fleet
from swarmkeeper.simulation.policies.base import Change, Policy
from swarmkeeper.simulation.waiting import Waiting
from swarmkeeper.simulation.workload import Job

PERIOD_S = 300.0
"""How fine the past is known, as CloudWatch keeps it for weeks."""
WEEK_S, DAY_S = 7 * 86_400.0, 86_400.0
DIMENSIONS: tuple[Callable[[Load], float], ...] = tuple(attrgetter(each.name) for each in fields(Load))


@dataclass(frozen=True, slots=True)
class Seasons:
    """How often the past repeats itself (`length_s`), how many of the last ones are looked at, and how far ahead."""

    length_s: float = WEEK_S
    count: int = 4
    ahead_s: float = 180.0


class Forecasted:
    """What another policy decides, but never fewer nodes than the forecast asks for."""

    def __init__(self, inner: Policy, seasons: Seasons, share: float = 1.0) -> None:
        self.every_s = inner.every_s
        self._inner = inner
        self._seasons = seasons
        self._share = share
        self._past: deque[tuple[float, Load]] = deque(maxlen=ceil((seasons.count * seasons.length_s) / PERIOD_S) + 3)
        self._slot = -1.0
        self._rises: tuple[Load, ...] = ()

    def arrived(self, job: Job) -> None:
        """The other is told."""
        self._inner.arrived(job)

    def ended(self, job: Job) -> None:
        """The other is told."""
        self._inner.ended(job)

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        """Buy up to the floor, and remove nothing below it."""
        change, floor = self._inner.decide(fleet, waiting, now), self._floor(fleet, now)
        missing = floor - len(fleet) - change.buy
        spare = max(0, len(fleet) + change.buy - floor)
        return Change(change.buy + max(0, missing), change.remove[:spare])

    def _floor(self, fleet: Fleet, now: float) -> int:
        present = Load(
            fleet.reserved_cpus / NANO_CPUS_PER_CPU,
            float(fleet.reserved_memory),
            float(sum(node.containers for node in fleet.ready.values())) if fleet.pool.slots else 0.0,
        )
        slot = now // PERIOD_S * PERIOD_S
        if slot != self._slot:
            self._slot = slot
            self._past.append((slot, present))
            self._rises = self._weeks(slot)
        else:
            self._past[-1] = (slot, _highest(self._past[-1][1], present))
        floor = forecast_floor(present, self._rises, fleet.pool, self._share)
        return 0 if floor is None else floor.nodes

    def _weeks(self, slot: float) -> tuple[Load, ...]:
        found = (self._rise(slot - self._seasons.length_s * ago) for ago in range(1, self._seasons.count + 1))
        return tuple(each for each in found if each is not None)

    def _rise(self, moment: float) -> Load | None:
        ahead_s = self._seasons.ahead_s + PERIOD_S
        points = self._between(moment - PERIOD_S, moment + ahead_s)
        rises = [rise([Datapoint(at, of(load)) for at, load in points], moment, ahead_s, PERIOD_S) for of in DIMENSIONS]
        if any(each is None for each in rises):
            return None
        return Load(*(each or 0.0 for each in rises))

    def _between(self, start: float, end: float) -> list[tuple[float, Load]]:
        """The periods that begin then; they are without gaps, so that their places are known."""
        first = self._past[0][0]
        places = range(max(0, int((start - first) // PERIOD_S)), min(len(self._past), ceil((end - first) / PERIOD_S)))
        return [self._past[place] for place in places]


def _highest(one: Load, other: Load) -> Load:
    return Load(
        max(one.cpus, other.cpus),
        max(one.memory_bytes, other.memory_bytes),
        max(one.containers, other.containers),
    )
