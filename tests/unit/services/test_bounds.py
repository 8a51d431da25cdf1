"""Floors and ceilings from schedules, CloudWatch's metrics and past weeks."""

from __future__ import annotations

import pytest

from swarmkeeper.domain.model import Node, Pool, PoolName, Resources, Role
from swarmkeeper.domain.scaling.floors import Bounds
from swarmkeeper.domain.scaling.schedules import Occurrence
from swarmkeeper.domain.scaling.tracking import Band
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import MetricQuery
from swarmkeeper.services.bounds import BoundsPlan, BoundsReader, ForecastPlan, TrackedMetric
from tests.fakes.builders import a_node, resources
from tests.fakes.measures import FakeMeasures

NOW = 3_000_000.0
WEEK = 7 * 86_400.0
POOL = Pool(PoolName("workers"), Role.WORKER, "demo-workers", 0, 20, Resources(4 * 10**9, 16 * 2**30))
DIMENSIONS = {"Pool": "workers"}


def query(name: str, period_s: int = 60) -> MetricQuery:
    return MetricQuery("Swarmkeeper", name, tuple(DIMENSIONS.items()), "Maximum", period_s)


def tracking(name: str, *, scale_in: bool = True) -> TrackedMetric:
    return TrackedMetric(Band.around(name, 70, 0.1, 60, 3, scale_in=scale_in), query(name))


def nodes(count: int = 5) -> list[Node]:
    reserved = resources(2, 1024)
    return [a_node(f"i-{number}", state_since=0.0, reserved=reserved, containers=2) for number in range(count)]


def put(measures: FakeMeasures, name: str, *values: float, until: float = NOW, period_s: float = 60.0) -> None:
    """The last value's period ends at `until`."""
    start = until - period_s * len(values)
    samples = ((start + period_s * index, value) for index, value in enumerate(values))
    measures.put("Swarmkeeper", name, DIMENSIONS, *samples)


def bounds(measures: FakeMeasures, plan: BoundsPlan, count: int = 5, now: float = NOW) -> Bounds:
    return BoundsReader(measures=measures, plans={POOL.name: plan}).of(POOL, nodes(count), now)


def asked(found: Bounds) -> list[tuple[str, int]]:
    return [(floor.source, floor.nodes) for floor in found.floors]


def test_schedules_metrics_and_the_forecast_each_give_a_floor() -> None:
    measures = FakeMeasures()
    put(measures, "cpu", 98)
    plan = BoundsPlan((tracking("cpu"),), lambda now: (Occurrence(now - 60, 4, "0 8 * * *"),))
    assert asked(bounds(measures, plan)) == [("schedule", 4), ("tracking", 7)]


def test_a_pool_without_a_plan_is_asked_for_nothing_and_not_watched() -> None:
    measures = FakeMeasures()
    reader = BoundsReader(measures=measures, plans={})
    assert reader.of(POOL, nodes(), NOW) == Bounds()
    assert not reader.watches(POOL.name)
    assert measures.calls["series"] == 0


@pytest.mark.parametrize(
    "plan", [BoundsPlan((tracking("cpu"),)), BoundsPlan(due=lambda _: ())], ids=["metric", "schedule"]
)
def test_a_pool_that_is_sized_by_what_no_alarm_tells_is_watched(plan: BoundsPlan) -> None:
    assert BoundsReader(measures=FakeMeasures(), plans={POOL.name: plan}).watches(POOL.name)


def test_nodes_are_offered_only_when_every_metric_is_calm() -> None:
    plan = BoundsPlan((tracking("cpu"), tracking("memory")))
    calm = FakeMeasures()
    put(calm, "cpu", 14, 14, 14)
    put(calm, "memory", 42, 42, 42)
    assert sorted(ceiling.nodes for ceiling in bounds(calm, plan).ceilings) == [1, 3]
    busy = FakeMeasures()
    put(busy, "cpu", 14, 14, 14)
    put(busy, "memory", 65, 65, 65)
    assert bounds(busy, plan).ceilings == ()


def test_a_metric_that_must_not_shrink_the_pool_has_no_say_in_shrinking() -> None:
    measures = FakeMeasures()
    put(measures, "cpu", 14, 14, 14)
    put(measures, "memory", 65, 65, 65)
    plan = BoundsPlan((tracking("cpu"), tracking("memory", scale_in=False)))
    assert [ceiling.nodes for ceiling in bounds(measures, plan).ceilings] == [1]


def test_a_silent_metric_keeps_what_is_there() -> None:
    measures = FakeMeasures()
    put(measures, "cpu", 14, 14, 14)
    found = bounds(measures, BoundsPlan((tracking("cpu"), tracking("memory"))))
    assert (asked(found), found.ceilings) == ([("tracking", 1), ("tracking", 5)], ())
    assert found.silent == ("memory: no datapoint in the last 180 s",)


def test_when_cloudwatch_does_not_answer_schedules_hold_and_nothing_goes() -> None:
    measures = FakeMeasures()
    measures.fail("series", Unavailable("throttled"))
    plan = BoundsPlan((tracking("cpu"),), lambda now: (Occurrence(now, 6, "0 8 * * *"),))
    found = bounds(measures, plan)
    assert (asked(found), found.ceilings) == ([("schedule", 6), ("tracking", 5)], ())
    assert found.silent == ("cpu can't be read: throttled",)


def forecast(weeks: int = 3) -> BoundsPlan:
    def moments(now: float) -> tuple[float, ...]:
        return tuple(now - WEEK * ago for ago in range(1, weeks + 1))

    named = [query(name, 300) for name in ("cpus", "memory", "containers")]
    return BoundsPlan(forecast=ForecastPlan(named[0], named[1], named[2], moments, ahead_s=300, share=0.8))


def past(measures: FakeMeasures, weeks: int, rises_by: float) -> None:
    """Each of the last weeks at this time CPUs rose so, and nothing else did."""
    for ago in range(1, weeks + 1):
        put(measures, "cpus", 10, 10, 10 + rises_by, until=NOW - WEEK * ago + 600, period_s=300)
        put(measures, "memory", 2**30, 2**30, 2**30, until=NOW - WEEK * ago + 600, period_s=300)
        put(measures, "containers", 5, 5, 5, until=NOW - WEEK * ago + 600, period_s=300)


def test_the_forecast_adds_what_past_weeks_brought_to_what_is_reserved() -> None:
    measures = FakeMeasures()
    past(measures, weeks=3, rises_by=6)
    found = bounds(measures, forecast())
    assert asked(found) == [("forecast", 5)]  # 16 CPUs, of which 3.2 a node may be reserved
    assert found.floors[0].reason == "3 weeks expect 16 CPUs, 5.0 GiB and 10 containers: 5 nodes"


def test_weeks_without_data_do_not_count_and_one_week_is_no_pattern() -> None:
    measures = FakeMeasures()
    past(measures, weeks=1, rises_by=6)
    assert bounds(measures, forecast()) == Bounds()


def test_a_fleet_without_a_past_has_no_forecast() -> None:
    assert bounds(FakeMeasures(), forecast()) == Bounds(silent=("forecast: no data of past weeks",))


def test_past_weeks_are_read_once_in_five_minutes() -> None:
    measures = FakeMeasures()
    past(measures, weeks=3, rises_by=6)
    reader = BoundsReader(measures=measures, plans={POOL.name: forecast()})
    first, second = (reader.of(POOL, nodes(), NOW + late) for late in (0, 299))
    assert first == second
    assert measures.calls["series"] == 3
    reader.of(POOL, nodes(), NOW + 300)
    assert measures.calls["series"] == 6


def test_past_weeks_that_can_not_be_read_are_asked_for_again() -> None:
    measures = FakeMeasures()
    past(measures, weeks=3, rises_by=6)
    measures.fail("series", Unavailable("throttled"))
    reader = BoundsReader(measures=measures, plans={POOL.name: forecast()})
    assert reader.of(POOL, nodes(), NOW) == Bounds(silent=("past weeks can't be read: throttled",))
    assert asked(reader.of(POOL, nodes(), NOW)) == [("forecast", 5)]
