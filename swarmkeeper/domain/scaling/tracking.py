"""Target tracking: the size at which a metric would be at its target.

A metric is an average over a pool's nodes (a share, a percentage), so value times nodes is the load, and the load
over the target is the number of nodes that would bring the value to the target.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swarmkeeper.domain.scaling.floors import Bounds, Ceiling, Floor, Source

ROUNDING = 1e-9
"""What a quotient of decimals may be above a whole number without meaning one node more."""
STALE_PERIODS = 3
STALE_S = 180.0
"""A metric whose newest datapoint ended longer ago than this, and than three periods, is not believed."""


@dataclass(frozen=True, slots=True)
class Datapoint:
    """The metric over one period; `at` is the period's start."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Band:
    """Where a metric is to stay, in its own unit, above 0.

    One datapoint above `high` asks for as many nodes as bring it to `target`; `datapoints` in a row below `low` offer
    what is not needed for that. `scale_in` off: they offer nothing.
    """

    metric: str
    low: float
    high: float
    target: float
    period_s: float = 60.0
    datapoints: int = 15
    scale_in: bool = True

    @classmethod
    def around(
        cls, metric: str, target: float, tolerance: float, period_s: float, datapoints: int, *, scale_in: bool
    ) -> Band:
        """Out above the target; in below the target less the tolerance, a share of it."""
        return cls(metric, target * (1 - tolerance), target, target, period_s, datapoints, scale_in)

    @property
    def window_s(self) -> float:
        """How far back datapoints are looked at: those of the row, and as long as the newest may lag behind."""
        return self.datapoints * self.period_s + self.stale_s

    @property
    def stale_s(self) -> float:
        return max(STALE_PERIODS * self.period_s, STALE_S)


@dataclass(frozen=True, slots=True)
class _Load:
    """What a datapoint says of its moment: the value, and how many nodes at the target would have carried it."""

    at: float
    value: float
    nodes: int


def tracked(points: Sequence[Datapoint], band: Band, present_since: Sequence[float], now: float) -> Bounds:
    """What the metric asks of the pool, whose present nodes are there since `present_since`.

    Each datapoint counts with the nodes that were there when its period began, so that what was just bought is not
    bought again. Only periods that have ended are looked at. Within the band the floor keeps what the highest of
    the last datapoints needs: else scale-in by demand would take what the metric asks for a minute later. Without
    data the nodes that are there stay.
    """
    loads, present = _loads(points, band, present_since, now), len(present_since)
    if not loads:
        return unknown(band, present, f"{band.metric}: no datapoint in the last {band.stale_s:.0f} s")
    latest = loads[-1]
    if latest.value > band.high:
        reason = (
            f"{band.metric} {latest.value:g} is above {band.high:g}: {latest.nodes} nodes bring it to {band.target:g}"
        )
        return Bounds((Floor(latest.nodes, Source.TRACKING, reason),))
    row = loads[-band.datapoints :]
    needed = max(load.nodes for load in row)
    reason = f"{band.metric} was {max(load.value for load in row):g} at most: {needed} nodes keep it at {band.target:g}"
    floors = (Floor(min(needed, present), Source.TRACKING, reason),)
    if band.scale_in and needed < present and _is_calm(row, band):
        return Bounds(floors, (Ceiling(needed, Source.TRACKING, reason),))
    return Bounds(floors)


def unknown(band: Band, present: int, reason: str) -> Bounds:
    """Nothing is bought for a metric that is not known, and nothing goes, if it is one that the pool shrinks by."""
    if not band.scale_in or not present:
        return Bounds(silent=(reason,))
    return Bounds((Floor(present, Source.TRACKING, f"{reason}: what is there stays"),), silent=(reason,))


def _loads(points: Sequence[Datapoint], band: Band, present_since: Sequence[float], now: float) -> list[_Load]:
    """Oldest first; empty when the newest is stale or no node was there yet."""
    loads: list[_Load] = []
    for point in sorted(points, key=lambda each: each.at):
        present = sum(1 for since in present_since if since <= point.at)
        if present and point.at + band.period_s <= now and math.isfinite(point.value):
            loads.append(_Load(point.at, point.value, math.ceil(point.value * present / band.target - ROUNDING)))
    if loads and loads[-1].at + band.period_s < now - band.stale_s:
        return []
    return loads


def _is_calm(row: Sequence[_Load], band: Band) -> bool:
    """Whether the row is whole, without a gap, and all of it below the band."""
    spans = row[-1].at - row[0].at
    is_whole = len(row) == band.datapoints and spans < band.datapoints * band.period_s
    return is_whole and all(load.value < band.low for load in row)
