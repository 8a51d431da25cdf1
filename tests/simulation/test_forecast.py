"""The forecast pays where demand has a shape that comes again, and costs nothing where it hasn't."""

from __future__ import annotations

from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.simulation.measures import Measures, waited_share
from swarmkeeper.simulation.named import policy_named
from swarmkeeper.simulation.policies.base import Policy
from swarmkeeper.simulation.policies.forecast import DAY_S, Forecasted, Seasons
from swarmkeeper.simulation.policies.ours import Ours
from swarmkeeper.simulation.replay import Replay
from swarmkeeper.simulation.workload import Workload
from tests.simulation.builders import a_model, a_workload, options

DAYS = 6
MODEL = a_model(decision_s=30.0)
HEADROOM = ArrivalHeadroom(boot_s=90, memory_s=3600)
SEASONS = Seasons(length_s=DAY_S, count=4, ahead_s=180)
HOUR = 3600.0


def mornings(jobs_a_morning: int) -> Workload:
    """Each day at nine, within five minutes, many come and stay for four hours; a few run all the time."""
    always = [(60.0, DAYS * DAY_S, 1.0) for _ in range(8)]
    each_day = [
        (day * DAY_S + 9 * HOUR + number * 300 / jobs_a_morning, 4 * HOUR, 1.0)
        for day in range(DAYS)
        for number in range(jobs_a_morning)
    ]
    return a_workload([*always, *each_day], end_s=DAYS * DAY_S)


def replayed(policy: Policy, workload: Workload) -> Measures:
    """The last day is counted, when the forecast has a past."""
    return Replay(workload, MODEL, policy, options(), warmup_s=(DAYS - 1) * DAY_S).run()


def ours() -> Policy:
    return Ours(HEADROOM, MODEL.decision_s)


def test_a_morning_that_comes_each_day_waits_for_no_node() -> None:
    workload = mornings(120)
    without, with_it = replayed(ours(), workload), replayed(Forecasted(ours(), SEASONS), workload)
    assert waited_share(without.waits) > 0.2
    assert waited_share(with_it.waits) == 0.0
    assert with_it.node_s < 1.05 * without.node_s


def test_a_demand_without_a_shape_costs_no_more() -> None:
    workload = a_workload([(60.0 + 900 * number, 8 * HOUR, 1.0) for number in range(550)], end_s=DAYS * DAY_S)
    without, with_it = replayed(ours(), workload), replayed(Forecasted(ours(), SEASONS), workload)
    assert with_it.node_s <= 1.02 * without.node_s


def test_without_a_past_the_forecast_changes_nothing() -> None:
    workload = a_workload([(300.0 * number, 1800.0, 2.0) for number in range(100)], end_s=DAY_S)
    runs = [Replay(workload, MODEL, policy, options()).run() for policy in (ours(), Forecasted(ours(), SEASONS))]
    assert runs[0].node_s == runs[1].node_s


def test_the_forecast_can_be_named() -> None:
    named = policy_named("ours+forecast", MODEL, HEADROOM, "binpack", 1.0)
    assert (named.name, type(named.policy)) == ("ours+forecast", Forecasted)
