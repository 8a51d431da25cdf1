"""The scaler with schedules and metrics: demand decides, floors raise it, and nothing goes that a metric needs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision
from swarmkeeper.domain.scaling.guards import Guard, Limits
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.schedules import Occurrence
from swarmkeeper.domain.scaling.tracking import Band
from swarmkeeper.ports import MetricQuery
from swarmkeeper.services.bounds import BoundsPlan, BoundsReader, TrackedMetric
from swarmkeeper.services.scaler import Scaler
from tests.fakes import a_request
from tests.fakes.alarms import FakeAlarms
from tests.fakes.builders import options
from tests.fakes.measures import FakeMeasures
from tests.unit.services.world import FLEET, World

WORKERS = PoolName("workers")
LIMITS = Limits(out_cooldown_s=30, in_cooldown_s=60, removals_in_window=5)
CPU = TrackedMetric(
    Band.around("cpu", 70, 0.1, 60, 3, scale_in=True), MetricQuery("AWS/EC2", "CPUUtilization", (), "Average", 60)
)


@pytest.fixture
def world() -> World:
    return World().with_manager()


@pytest.fixture
def measures() -> FakeMeasures:
    return FakeMeasures()


def scaler(world: World, measures: FakeMeasures, plan: BoundsPlan) -> Scaler:
    return Scaler(
        fleet_name=FLEET,
        store=world.store,
        fleet=world.fleet,
        events=world.events,
        alarms=FakeAlarms(),
        clock=world.clock,
        pools=[each.pool for each in world.plans.values()],
        policies=dict.fromkeys(world.plans, Policy(options(), reserved_high=1.0, reserved_low=0.0, limits=LIMITS)),
        targets=BoundsReader(measures=measures, plans={WORKERS: plan}),
    )


def scheduled(nodes: int) -> Callable[[float], tuple[Occurrence, ...]]:
    return lambda now: (Occurrence(now - 60, nodes, "0 8 * * *"),)


def measured(world: World, measures: FakeMeasures, *values: float) -> None:
    """One value a minute, the last of which has just ended; all since the workers are there."""
    end = world.clock.now() // 60 * 60
    samples = ((end - 60 * (len(values) - index), value) for index, value in enumerate(values))
    measures.put("AWS/EC2", "CPUUtilization", {}, *samples)


def workers(world: World, count: int) -> None:
    """Empty nodes that have served for a while."""
    for number in range(count):
        world.with_worker(f"i-0{number}")
    world.fleet.set_desired("demo-workers", count)
    world.clock.advance(3600)


def recheck(world: World, measures: FakeMeasures, plan: BoundsPlan) -> ScalingDecision:
    (decision,) = scaler(world, measures, plan).recheck()
    return decision


def test_a_schedule_is_looked_at_each_minute_and_buys_its_minimum(world: World, measures: FakeMeasures) -> None:
    workers(world, 1)
    decision = recheck(world, measures, BoundsPlan(due=scheduled(3)))
    assert (decision.desired, world.fleet.group("demo-workers").desired) == (3, 3)
    assert decision.inputs["bought_for"] == {"floor": 2}


def test_a_schedule_above_the_groups_max_is_capped_there(world: World, measures: FakeMeasures) -> None:
    workers(world, 1)
    decision = recheck(world, measures, BoundsPlan(due=scheduled(9)))
    assert (decision.desired, decision.wish, decision.capped_by) == (4, 9, Guard.MAX)


def test_what_a_schedule_wants_is_not_bought_twice(world: World, measures: FakeMeasures) -> None:
    workers(world, 1)
    plan = BoundsPlan(due=scheduled(3))
    recheck(world, measures, plan)
    world.clock.advance(60)
    assert recheck(world, measures, plan).direction is Direction.NONE
    assert world.fleet.group("demo-workers").desired == 3


def test_a_busy_metric_buys_what_brings_it_to_its_target(world: World, measures: FakeMeasures) -> None:
    workers(world, 2)
    measured(world, measures, 60, 60, 98)
    assert recheck(world, measures, BoundsPlan((CPU,))).desired == 3


def test_an_empty_node_that_a_metric_needs_stays(world: World, measures: FakeMeasures) -> None:
    workers(world, 3)
    measured(world, measures, 60, 60, 60)
    assert recheck(world, measures, BoundsPlan((CPU,))).victims == ()


def test_empty_nodes_that_no_metric_needs_go(world: World, measures: FakeMeasures) -> None:
    workers(world, 3)
    measured(world, measures, 20, 20, 20)
    decision = recheck(world, measures, BoundsPlan((CPU,)))
    assert (decision.direction, len(decision.victims)) == (Direction.IN, 2)


def test_while_a_metric_is_silent_nothing_goes_and_the_decision_says_so(world: World, measures: FakeMeasures) -> None:
    workers(world, 3)
    decision = recheck(world, measures, BoundsPlan((CPU,)))
    assert (decision.direction, decision.victims) == (Direction.NONE, ())
    assert decision.inputs["silent"] == ["cpu: no datapoint in the last 180 s"]


def test_a_calm_metric_lets_nodes_be_emptied_that_demand_alone_would_leave(
    world: World, measures: FakeMeasures
) -> None:
    for number in range(3):
        world.with_worker(f"i-0{number}")
        world.placer.create(a_request(f"web-{number}", movable=True))
    world.fleet.set_desired("demo-workers", 3)
    world.clock.advance(3600)
    measured(world, measures, 30, 30, 30)
    assert recheck(world, measures, BoundsPlan(due=scheduled(0))).victims == ()
    decision = recheck(world, measures, BoundsPlan((CPU,)))
    assert (decision.direction, len(decision.victims)) == (Direction.IN, 1)


def test_a_pool_with_nothing_but_demand_is_left_to_its_alarms(world: World, measures: FakeMeasures) -> None:
    workers(world, 1)
    world.placer.create(a_request())  # a node that holds nothing would be looked at
    assert scaler(world, measures, BoundsPlan()).recheck() == ()
