"""Demand goes to the cheapest pool that can hold it, and on to the next where that one may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import PoolName, Request, Resources
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision, decide_fleet
from swarmkeeper.domain.scaling.guards import Guard, Limits
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.domain.scaling.state import ScalingState
from tests.unit.domain.builders import NOW, a_container, a_fleet, a_node, a_pool, a_request, options, resources, seen

LIMITS = Limits(out_cooldown_s=30, in_cooldown_s=60, recheck_s=10)
POLICY = Policy(options(), reserved_high=1.0, limits=LIMITS)
SMALL = a_pool(name="small", capacity=resources(2, 2048), price=1.0)
LARGE = a_pool(name="large", capacity=resources(16, 16384), price=6.0)
FAST = a_pool(name="fast", capacity=resources(2, 2048), price=2.0, labels={"disk": "ssd"})


def decide(fleet: FleetSnapshot, **policies: Policy) -> Mapping[str, ScalingDecision]:
    by_pool = {pool.name: policies.get(pool.name, POLICY) for pool in fleet.pools}
    return {decision.pool: decision for decision in decide_fleet(fleet, by_pool, NOW)}


def bought(pending: Sequence[Request], *pools: PoolSnapshot, **policies: Policy) -> dict[str, int]:
    decided = decide(a_fleet(pools=pools, pending=pending), **policies)
    return {pool.name: decided[pool.name].desired - pool.group_desired for pool in pools}


def requests(count: int, *, cpus: float = 1, name: str = "web", constraints: tuple[str, ...] = ()) -> list[Request]:
    return [a_request(f"{name}-{number}", cpus=cpus, memory_mib=0, constraints=constraints) for number in range(count)]


THREE = (seen(SMALL, high=20), seen(LARGE, high=20), seen(FAST, high=20))


@pytest.mark.parametrize(
    ("pending", "expected"),
    [
        pytest.param(requests(2), {"small": 1, "large": 0, "fast": 0}, id="the cheapest node that holds all"),
        pytest.param(requests(16), {"small": 0, "large": 1, "fast": 0}, id="a large one is cheaper than eight"),
        pytest.param(requests(18), {"small": 1, "large": 1, "fast": 0}, id="what is left over by the cheapest again"),
        pytest.param(requests(1, cpus=4), {"small": 0, "large": 1, "fast": 0}, id="size decides"),
        pytest.param(
            requests(1, constraints=("disk==ssd",)), {"small": 0, "large": 0, "fast": 1}, id="a constraint decides"
        ),
        pytest.param(
            [*requests(1, constraints=("disk==ssd",)), *requests(1, name="any")],
            {"small": 0, "large": 0, "fast": 1},
            id="what goes anywhere takes the room that the others' node leaves",
        ),
        pytest.param(
            [*requests(16), *requests(3, name="ssd", constraints=("disk==ssd",)), *requests(1, name="big", cpus=10)],
            {"small": 5, "large": 1, "fast": 2},
            id="a mixed burst in one decision",
        ),
        pytest.param(requests(1, cpus=64), {"small": 0, "large": 0, "fast": 0}, id="what none could hold"),
    ],
)
def test_a_burst_buys_the_cheapest_nodes_that_hold_it(pending: Sequence[Request], expected: dict[str, int]) -> None:
    assert bought(pending, *THREE) == expected


def test_a_pool_with_a_gpu_is_bought_for_what_asks_for_one() -> None:
    gpus = replace(a_pool(name="gpus", price=9.0), node_capacity=Resources.of(2 * 10**9, 2**31, {"gpu": 1}))
    wants = replace(a_request("train"), reservation=Resources.of(10**9, 2**20, {"gpu": 1}))
    assert bought([wants, a_request("web")], seen(SMALL), seen(gpus)) == {"small": 0, "gpus": 1}


def test_without_prices_the_smallest_that_holds_all_is_bought() -> None:
    pools = (seen(replace(LARGE, price_per_hour=0.0)), seen(replace(SMALL, price_per_hour=0.0)))
    assert bought(requests(2), *pools) == {"large": 0, "small": 1}


def test_equal_offers_fall_to_the_first_name() -> None:
    twins = (seen(replace(SMALL, name=PoolName("b"))), seen(replace(SMALL, name=PoolName("a"))))
    assert bought(requests(2), *twins) == {"b": 0, "a": 1}


def test_room_on_any_pools_nodes_is_used_before_any_is_bought() -> None:
    booting = a_node("i-0b", pool="large", state=NodeState.JOINING, capacity=resources())
    fleet = a_fleet(
        a_node("i-0a", pool="small"),
        booting,
        pools=[seen(SMALL, desired=1), seen(LARGE, desired=1)],
        pending=requests(18),
    )
    assert {each.direction for each in decide(fleet).values()} == {Direction.NONE}


def test_a_draining_node_of_a_dearer_pool_is_taken_back_before_a_cheap_one_is_bought() -> None:
    draining = a_node("i-0a", pool="fast", state=NodeState.DRAINING)
    held = a_container("old", on="i-0a", cpus=0.5)
    fleet = a_fleet(draining, pools=[seen(SMALL), seen(FAST, desired=1)], containers=[held], pending=requests(1))
    decided = decide(fleet)
    assert (decided["fast"].reclaimed, decided["small"].desired) == (("i-0a",), 0)


@pytest.mark.parametrize(
    ("first", "guard"),
    [
        pytest.param(seen(SMALL, high=0), Guard.MAX, id="at its max"),
        pytest.param(
            seen(SMALL, state=ScalingState(SMALL.name, unavailable_until=NOW + 100)),
            Guard.UNAVAILABLE,
            id="a launch failed lately",
        ),
        pytest.param(
            seen(SMALL, state=ScalingState(SMALL.name, failed_since=NOW - 1)), Guard.FAILED, id="failed altogether"
        ),
        pytest.param(seen(SMALL, suspended=frozenset({"Launch"})), Guard.SUSPENDED, id="launches suspended"),
    ],
)
def test_what_one_pool_may_not_hold_goes_to_the_next(first: PoolSnapshot, guard: Guard) -> None:
    decided = decide(a_fleet(pools=[first, seen(FAST)], pending=requests(2)))
    assert (decided["small"].desired, decided["small"].wish, decided["small"].capped_by) == (0, 1, guard)
    assert (decided["fast"].desired, decided["fast"].capped_by) == (1, None)


def test_a_pool_gives_what_it_may_and_the_rest_goes_on() -> None:
    decided = decide(a_fleet(pools=[seen(SMALL, high=2), seen(FAST)], pending=requests(8)))
    assert (decided["small"].desired, decided["small"].wish, decided["small"].capped_by) == (2, 4, Guard.MAX)
    assert decided["fast"].desired == 2


def test_a_rate_that_is_used_up_sends_the_rest_on() -> None:
    slow = replace(POLICY, limits=replace(LIMITS, additions_in_window=3, additions_window_s=100))
    state = ScalingState(SMALL.name, bought=((NOW - 40, 2),))
    decided = decide(a_fleet(pools=[seen(SMALL, state=state), seen(FAST)], pending=requests(4)), small=slow)
    assert (decided["small"].desired, decided["small"].capped_by) == (1, Guard.RATE)
    assert decided["small"].recheck_at == NOW + 60
    assert decided["fast"].desired == 1


def test_a_cooldown_alone_is_waited_for() -> None:
    state = ScalingState(SMALL.name, last_out_at=NOW - 10)
    decided = decide(a_fleet(pools=[seen(SMALL, state=state), seen(FAST)], pending=requests(2)))
    assert (decided["small"].capped_by, decided["small"].recheck_at) == (Guard.OUT_COOLDOWN, NOW + 20)
    assert decided["fast"].direction is Direction.NONE


def test_the_budget_is_the_fleets_and_a_cheaper_pool_may_still_fit_it() -> None:
    tight = replace(POLICY, limits=replace(LIMITS, budget_per_hour=8.0))
    pools = (seen(LARGE, desired=1), seen(SMALL))
    node = a_node("i-0a", pool="large", reserved=resources(16, 0), capacity=resources(16, 16384))
    decided = decide(a_fleet(node, pools=pools, pending=requests(14)), large=tight, small=tight)
    assert (decided["large"].desired, decided["large"].wish, decided["large"].capped_by) == (1, 2, Guard.BUDGET)
    assert (decided["small"].desired, decided["small"].capped_by) == (2, Guard.BUDGET)  # 6 + 2 * 1 is all of it


def test_an_unavailable_group_is_asked_for_no_more_than_it_has_launched() -> None:
    state = ScalingState(SMALL.name, unavailable_until=NOW + 100)
    first = seen(SMALL, desired=5, launched=2, state=state)
    decided = decide(a_fleet(a_node("i-0a", pool="small"), pools=[first, seen(FAST)], pending=requests(8)))
    assert (decided["small"].desired, decided["small"].direction) == (2, Direction.IN)
    assert decided["small"].victims == ()
    assert decided["fast"].desired == 2


def test_what_was_unavailable_is_tried_again_after_its_time() -> None:
    state = ScalingState(SMALL.name, unavailable_until=NOW)
    assert bought(requests(2), seen(SMALL, state=state), seen(FAST)) == {"small": 1, "fast": 0}


def test_a_pool_in_dry_run_is_decided_but_not_counted_on() -> None:
    decided = decide(a_fleet(pools=[seen(SMALL, dry_run=True), seen(FAST)], pending=requests(2)))
    assert (decided["small"].desired, decided["small"].dry_run) == (1, True)
    assert (decided["fast"].desired, decided["fast"].dry_run) == (1, False)


def test_a_fleet_in_dry_run_decides_as_if_it_acted() -> None:
    decided = decide(a_fleet(pools=[seen(SMALL, dry_run=True), seen(FAST, dry_run=True)], pending=requests(2)))
    assert (decided["small"].desired, decided["fast"].desired) == (1, 0)


def test_movable_containers_go_to_another_pool_that_has_room() -> None:
    nodes = [a_node("i-0a", pool="fast"), a_node("i-0b", pool="small")]
    held = [a_container("a", on="i-0a", cpus=0.2, movable=True), a_container("b", on="i-0b", cpus=0.2)]
    fleet = a_fleet(*nodes, pools=[seen(SMALL, desired=1), seen(FAST, desired=1)], containers=held)
    assert decide(fleet)["fast"].victims == ("i-0a",)


def test_the_dearest_pool_gives_up_its_nodes_first() -> None:
    nodes = [a_node("i-0a", pool="small"), a_node("i-0b", pool="fast")]
    held = [a_container(each.id, on=each.id, cpus=0.2, movable=True) for each in nodes]
    decided = decide(a_fleet(*nodes, pools=[seen(SMALL, desired=1), seen(FAST, desired=1)], containers=held))
    assert (decided["small"].victims, decided["fast"].victims) == ((), ("i-0b",))
