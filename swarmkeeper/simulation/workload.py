"""A workload: the exact arrivals and lifetimes that a seed draws from a trace's bins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from random import Random

from swarmkeeper.domain.model import Resources
from swarmkeeper.simulation.trace import BIN_S, Trace, TraceRow


class Batches(StrEnum):
    """When the requests of a tenant's batch come: each at a time of its own within the bin, or all at one instant."""

    APART = "apart"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class Job:
    """One container to run: when it comes and for how long it then runs; for ever where the trace saw no end."""

    number: int
    at: float
    lifetime_s: float
    reservation: Resources


@dataclass(frozen=True, slots=True)
class Workload:
    """What is replayed, from 0 to `end_s`, in the order of arrival."""

    jobs: tuple[Job, ...]
    end_s: float


def draw(trace: Trace, seed: int, *, max_lifetime_s: float | None = None, batches: Batches = Batches.APART) -> Workload:
    """Draw arrivals and lifetimes uniformly from their bins.

    Rows whose lifetime may exceed `max_lifetime_s` are left out. What a row draws depends on the seed and on its
    place in the trace alone, so that leaving rows out changes none of the others.
    """
    random = Random(seed)  # noqa: S311  not for secrets
    instants: dict[tuple[str, float], float] = {}
    drawn: list[tuple[float, float, Resources]] = []
    for row in trace.rows:
        within, long = random.random(), random.random()
        if batches is Batches.INSTANT:
            within = instants.setdefault((row.batch, row.arrival_s), within)
        if max_lifetime_s is None or row.lifetime_max_s <= max_lifetime_s:
            drawn.append((row.arrival_s + within * BIN_S, _lifetime(row, long), row.reservation))
    drawn.sort(key=lambda each: each[0])
    return Workload(tuple(Job(number, *each) for number, each in enumerate(drawn)), trace.length_s)


def _lifetime(row: TraceRow, share: float) -> float:
    if row.censored:
        return inf
    return row.lifetime_min_s + share * (row.lifetime_max_s + BIN_S - row.lifetime_min_s)
