"""Target tracking: out at once, in only after a calm row, and never on missing data."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.scaling.floors import Bounds, deciding_floor
from swarmkeeper.domain.scaling.tracking import Band, Datapoint, tracked

NOW = 10_000.0
CPU = Band.around("cpu", 70, 0.1, 60, 3, scale_in=True)
FIVE = (0.0,) * 5


def row(*values: float, until: float = NOW, period_s: float = 60.0) -> list[Datapoint]:
    """One datapoint a period, the last of which ends at `until`."""
    start = until - period_s * len(values)
    return [Datapoint(start + period_s * index, value) for index, value in enumerate(values)]


def nodes(bounds: Bounds) -> tuple[int | None, int | None]:
    """What floor and ceiling ask for."""
    floor = bounds.floors[0].nodes if bounds.floors else None
    return floor, bounds.ceilings[0].nodes if bounds.ceilings else None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param((70, 70, 71), (6, None), id="one datapoint above asks for nodes at once"),
        pytest.param((20, 20, 100), (8, None), id="as many as bring it to the target"),
        pytest.param((71, 71, 70), (5, None), id="at the target nothing is asked for, and what was needed is kept"),
        pytest.param((64, 64, 64), (5, None), id="a little below is within the tolerance"),
        pytest.param((28, 28, 28), (2, 2), id="a calm row offers what is not needed"),
        pytest.param((28, 42, 28), (3, 3), id="the highest of the row says what is needed"),
        pytest.param((28, 64, 28), (5, None), id="one datapoint within the tolerance breaks the row"),
        pytest.param((28, 28), (2, None), id="a row that is too short offers nothing"),
        pytest.param((0, 0, 0), (0, 0), id="without any load nothing is needed"),
        pytest.param((100, 100, 28, 28, 28), (2, 2), id="what lies before the row doesn't count"),
    ],
)
def test_five_nodes_are_kept_at_seventy_percent(values: tuple[float, ...], expected: tuple[int, int | None]) -> None:
    assert nodes(tracked(row(*values), CPU, FIVE, NOW)) == expected


def test_within_a_band_nothing_changes() -> None:
    band = Band("memory", low=40, high=85, target=60, datapoints=3)
    assert nodes(tracked(row(84, 60, 84.9), band, FIVE, NOW)) == (5, None)
    assert nodes(tracked(row(60, 60, 90), band, FIVE, NOW)) == (8, None)
    assert nodes(tracked(row(40, 40, 40), band, FIVE, NOW)) == (4, None)
    assert nodes(tracked(row(39, 39, 39), band, FIVE, NOW)) == (4, 4)


def test_a_metric_that_must_not_shrink_the_pool_offers_nothing() -> None:
    band = Band.around("cpu", 70, 0.1, 60, 3, scale_in=False)
    assert nodes(tracked(row(10, 10, 10), band, FIVE, NOW)) == (1, None)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([], id="none"),
        pytest.param(row(100, 100, 100, until=NOW - 181), id="stale"),
        pytest.param([Datapoint(NOW - 59, 100)], id="a period that has not ended"),
        pytest.param([Datapoint(NOW - 60, math.nan)], id="not a number"),
    ],
)
def test_without_data_nothing_is_bought_nothing_goes_and_the_reason_is_told(points: list[Datapoint]) -> None:
    bounds = tracked(points, CPU, FIVE, NOW)
    assert nodes(bounds) == (5, None)
    assert bounds.silent == ("cpu: no datapoint in the last 180 s",)


def test_without_data_a_metric_that_must_not_shrink_the_pool_keeps_nothing() -> None:
    bounds = tracked([], Band.around("cpu", 70, 0.1, 60, 3, scale_in=False), FIVE, NOW)
    assert (bounds.floors, bounds.ceilings) == ((), ())
    assert bounds.silent == ("cpu: no datapoint in the last 180 s",)


def test_a_gap_in_the_row_offers_nothing() -> None:
    points = [point for point in row(10, 10, 10, 10) if point.at != NOW - 120]
    assert nodes(tracked(points, CPU, FIVE, NOW)) == (1, None)


def test_datapoints_that_lag_behind_a_little_are_believed() -> None:
    assert nodes(tracked(row(10, 10, 10, until=NOW - 120), CPU, FIVE, NOW)) == (1, 1)


def test_what_was_bought_since_the_datapoint_is_not_bought_again() -> None:
    three_new = (*FIVE, NOW - 30, NOW - 20, NOW - 10)
    assert nodes(tracked(row(100), CPU, three_new, NOW)) == (8, None)


def test_a_pool_without_nodes_has_no_opinion() -> None:
    assert tracked(row(100), CPU, (), NOW).floors == ()


def test_a_quotient_of_decimals_is_not_rounded_up_to_one_node_more() -> None:
    band = Band.around("reserved_share", 0.7, 0.1, 60, 3, scale_in=True)
    assert nodes(tracked(row(0.1, 0.1, 0.1), band, (0.0,) * 7, NOW)) == (1, 1)


@given(
    values=st.lists(st.floats(0, 200), min_size=1, max_size=30),
    present=st.integers(1, 200),
    target=st.floats(1, 100),
    tolerance=st.floats(0, 0.9),
)
def test_a_metric_never_offers_what_it_asks_for(
    values: list[float], present: int, target: float, tolerance: float
) -> None:
    """The floor brings the latest value to the target at most, and no ceiling is below it."""
    band = Band.around("cpu", target, tolerance, 60, 15, scale_in=True)
    bounds = tracked(row(*values), band, (0.0,) * present, NOW)
    floor = deciding_floor(bounds.floors)
    assert floor is not None
    assert (floor.nodes + 1e-6) * target >= min(values[-1], target) * present
    assert all(floor.nodes <= ceiling.nodes < present for ceiling in bounds.ceilings)
