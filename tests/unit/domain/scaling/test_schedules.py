"""Scheduled minimums: the last that came into force holds."""

from __future__ import annotations

from swarmkeeper.domain.scaling.floors import Source
from swarmkeeper.domain.scaling.schedules import Occurrence, schedule_floor

MORNING, EVENING = Occurrence(800.0, 10, "0 8 * * *"), Occurrence(1900.0, 2, "0 19 * * *")


def test_the_schedule_that_came_into_force_last_holds() -> None:
    floor = schedule_floor((EVENING, MORNING))
    assert floor is not None
    assert (floor.nodes, floor.source) == (2, Source.SCHEDULE)
    assert floor.reason == "at least 2 nodes since 0 19 * * *"


def test_of_two_at_the_same_moment_the_later_in_the_list_holds() -> None:
    floor = schedule_floor((MORNING, Occurrence(800.0, 4, "0 8 * * MON")))
    assert floor is not None
    assert floor.nodes == 4


def test_without_a_schedule_in_force_nothing_is_asked_for() -> None:
    assert schedule_floor(()) is None
