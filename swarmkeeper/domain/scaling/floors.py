"""What else than demand wants of a pool's size: at least so many nodes, or that so many would do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Who asks for a floor or a ceiling."""

    SCHEDULE = "schedule"
    FORECAST = "forecast"
    TRACKING = "tracking"


@dataclass(frozen=True, slots=True)
class Floor:
    """A pool shall have at least `nodes`; `reason` is for people and says why, with the figures.

    The group's own min and max still hold: a floor is a wish, and what caps it is seen in the decision.
    """

    nodes: int
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A pool would do with `nodes`: what it has beyond them may go, if it is empty or can be emptied.

    Nothing is removed that demand, headroom or a floor wants.
    """

    nodes: int
    source: str
    reason: str


def deciding_floor(floors: Iterable[Floor]) -> Floor | None:
    """The floor that decides; of equal ones the first. None where there is none."""
    return max(floors, key=lambda floor: floor.nodes, default=None)


def deciding_ceiling(ceilings: Iterable[Ceiling]) -> Ceiling | None:
    """The ceiling that decides: the highest, since each metric must agree before anything goes. None for none."""
    return max(ceilings, key=lambda ceiling: ceiling.nodes, default=None)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What schedules, metrics and the forecast ask of one pool now.

    `silent` says, for people, which metrics had no opinion and why: one without data neither grows nor shrinks
    anything.
    """

    floors: tuple[Floor, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    silent: tuple[str, ...] = ()
