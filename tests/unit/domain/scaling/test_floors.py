"""Floors and ceilings: which of several decides."""

from __future__ import annotations

from swarmkeeper.domain.scaling.floors import Ceiling, Floor, Source, deciding_ceiling, deciding_floor


def test_the_highest_floor_decides() -> None:
    low, high = Floor(2, Source.SCHEDULE, "nights"), Floor(5, Source.TRACKING, "cpu")
    assert deciding_floor((low, high)) is high


def test_the_highest_ceiling_decides_so_that_every_metric_agrees_before_nodes_go() -> None:
    low, high = Ceiling(2, Source.TRACKING, "cpu"), Ceiling(5, Source.TRACKING, "memory")
    assert deciding_ceiling((high, low)) is high


def test_without_floors_and_ceilings_nothing_is_asked_for() -> None:
    assert deciding_floor(()) is None
    assert deciding_ceiling(()) is None
