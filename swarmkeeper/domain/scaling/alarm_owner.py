"""Whose an alarm is: said by the dimensions of what it watches, or by its own tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from swarmkeeper.domain.model import PoolName

FLEET_DIMENSION, POOL_DIMENSION = "Fleet", "Pool"
FLEET_TAG, POOL_TAG = "swarmkeeper:fleet", "swarmkeeper:pool"


@dataclass(frozen=True, slots=True)
class AlarmOwner:
    """The fleet that an alarm is about, "" for none of ours, and the pool; None stands for the whole fleet."""

    fleet: str
    pool: PoolName | None = None


NOBODY = AlarmOwner("")


def owner_by_dimensions(dimensions: Iterable[tuple[str, str]], fleet: str) -> AlarmOwner | None:
    """What the dimensions of all its metrics say; None when none names a fleet.

    Metrics of several pools are about the whole fleet; those of several fleets are about ours when one of them is.
    """
    given = tuple(dimensions)
    fleets = {value for name, value in given if name == FLEET_DIMENSION}
    if not fleets:
        return None
    pools = {value for name, value in given if name == POOL_DIMENSION}
    pool = PoolName(*pools) if len(pools) == 1 else None
    return AlarmOwner(fleet, pool) if fleet in fleets else NOBODY


def owner_by_tags(tags: Mapping[str, str]) -> AlarmOwner:
    """What an alarm's own tags say: for composite alarms, metric maths, and metrics that aren't ours."""
    pool = tags.get(POOL_TAG)
    return AlarmOwner(tags.get(FLEET_TAG, ""), PoolName(pool) if pool else None)
