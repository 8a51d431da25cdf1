"""The forecast: what the same time of the last weeks asked for, on top of what is reserved now."""

from __future__ import annotations

import pytest

from swarmkeeper.domain.model import Pool, PoolName, Resources, Role
from swarmkeeper.domain.scaling.floors import Source
from swarmkeeper.domain.scaling.forecast import Load, expected, forecast_floor, rise
from swarmkeeper.domain.scaling.tracking import Datapoint

AT = 6_000.0
GIB = 2**30
WORKERS = Pool(PoolName("workers"), Role.WORKER, "demo-workers", 0, 9, Resources(4 * 10**9, 16 * GIB), slots=10)


def five_minutes(*values: float, start: float = AT - 600) -> list[Datapoint]:
    return [Datapoint(start + 300 * index, value) for index, value in enumerate(values)]


@pytest.mark.parametrize(
    ("points", "expected_rise"),
    [
        pytest.param(five_minutes(5, 10, 12, 40, 90), 30, id="from the last period before to the highest in time"),
        pytest.param(five_minutes(5, 10, 8, 7), 0, id="a fall is no rise"),
        pytest.param(five_minutes(5, 10), None, id="nothing after"),
        pytest.param(five_minutes(12, 40, start=AT), None, id="nothing before"),
        pytest.param([], None, id="no data"),
    ],
)
def test_a_week_says_by_how_much_its_metric_rose(points: list[Datapoint], expected_rise: float | None) -> None:
    assert rise(points, AT, ahead_s=600, period_s=300) == expected_rise


def test_a_moment_within_a_period_is_measured_from_the_period_before() -> None:
    assert rise(five_minutes(10, 15, 20, 30), AT + 120, ahead_s=180, period_s=300) == 5


def test_the_median_week_counts_in_each_dimension() -> None:
    weeks = [Load(2, 3 * GIB, 1), Load(90, GIB, 2), Load(4, 2 * GIB, 9)]
    assert expected(Load(10, GIB, 5), weeks) == Load(14, 3 * GIB, 7)


def test_of_two_weeks_the_higher_counts() -> None:
    assert expected(Load(), [Load(2), Load(6)]) == Load(6)


def test_one_week_is_no_pattern() -> None:
    assert expected(Load(10), [Load(4)]) is None


def test_the_floor_holds_what_is_expected_below_the_share() -> None:
    floor = forecast_floor(Load(10, 8 * GIB, 12), [Load(6), Load(6), Load(6)], WORKERS, share=0.8)
    assert floor is not None
    assert (floor.nodes, floor.source) == (5, Source.FORECAST)
    assert floor.reason == "3 weeks expect 16 CPUs, 8.0 GiB and 12 containers: 5 nodes"


@pytest.mark.parametrize(
    ("risen", "nodes"),
    [(Load(memory_bytes=40 * GIB), 4), (Load(containers=20), 4), (Load(cpus=0.1), 4)],
)
def test_the_scarcest_dimension_decides(risen: Load, nodes: int) -> None:
    floor = forecast_floor(Load(10, 8 * GIB, 12), [risen, risen], WORKERS, share=0.8)
    assert floor is not None
    assert floor.nodes == nodes


def test_where_nothing_rises_nothing_is_asked_for() -> None:
    assert forecast_floor(Load(10, GIB, 5), [Load(), Load(), Load(5)], WORKERS, share=0.8) is None
