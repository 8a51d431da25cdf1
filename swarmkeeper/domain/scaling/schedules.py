"""Scheduled minimums: the last that came into force holds until the next one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swarmkeeper.domain.scaling.floors import Floor, Source


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A schedule that has come into force: `at` is when, last before now; `schedule` is how it is written."""

    at: float
    nodes: int
    schedule: str


def schedule_floor(occurrences: Iterable[Occurrence]) -> Floor | None:
    """The minimum of the schedule that came into force last, as Auto Scaling's scheduled actions do.

    Of two at the same moment the later in the list holds. None when no schedule has come into force yet.
    """
    last: Occurrence | None = None
    for each in occurrences:
        if last is None or each.at >= last.at:
            last = each
    if last is None:
        return None
    return Floor(last.nodes, Source.SCHEDULE, f"at least {last.nodes} nodes since {last.schedule}")
