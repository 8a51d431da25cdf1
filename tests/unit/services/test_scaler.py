"""Scaling: sized by what waits, one decider acts, cooldowns stored, rechecks instead of repeated alarms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from swarmkeeper.adapters.memory.decisions import MemoryDecisions
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.decision import Direction
from swarmkeeper.domain.scaling.guards import Guard, Limits
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.errors import Conflict, NodeChanged
from swarmkeeper.ports import Event
from swarmkeeper.services.scaler import Scaler
from tests.fakes import a_request
from tests.fakes.builders import options
from tests.unit.services.world import FLEET, World, a_plan

WORKERS = PoolName("workers")
POLICY = Policy(options(), reserved_high=0.95, limits=Limits(out_cooldown_s=30, in_cooldown_s=60))


@dataclass
class FakeAlarms:
    """Pools with an alarm in ALARM."""

    pools: set[PoolName | None] = field(default_factory=set)

    def in_alarm(self, fleet: str) -> frozenset[PoolName | None]:
        assert fleet == FLEET
        return frozenset(self.pools)


@pytest.fixture
def world() -> World:
    return World().with_manager()


@pytest.fixture
def alarms() -> FakeAlarms:
    return FakeAlarms()


@pytest.fixture
def history() -> MemoryDecisions:
    return MemoryDecisions()


@pytest.fixture
def scaler(world: World, alarms: FakeAlarms, history: MemoryDecisions) -> Scaler:
    return Scaler(
        fleet_name=FLEET,
        store=world.store,
        fleet=world.fleet,
        events=world.events,
        alarms=alarms,
        clock=world.clock,
        pools=[plan.pool for plan in world.plans.values()],
        policies=dict.fromkeys(world.plans, POLICY),
        history=history,
    )


def desired(world: World) -> int:
    return world.fleet.group("demo-workers").desired


def fill(world: World, count: int) -> None:
    for number in range(count):
        world.placer.create(a_request(f"web-{number}"))


def test_what_waits_buys_exactly_the_nodes_that_hold_it(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    fill(world, 4 + 5)
    (decision,) = scaler.decide("alarm demo-pending")
    assert (decision.direction, desired(world)) == (Direction.OUT, 3)


def test_the_same_alarm_twice_buys_once(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    fill(world, 6)
    scaler.decide("alarm demo-pending")
    scaler.decide("alarm demo-pending")
    assert desired(world) == 2


def test_an_alarm_for_an_unknown_pool_decides_nothing(world: World, scaler: Scaler) -> None:
    assert scaler.decide("alarm other", PoolName("other")) == ()


def test_a_wish_above_the_groups_max_is_capped_and_asked_again_later(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    fill(world, 40)
    (decision,) = scaler.decide("alarm demo-pending")
    assert (desired(world), decision.capped_by) == (4, Guard.MAX)
    assert decision.wish > 4
    assert world.store.scaling(WORKERS).recheck_at is not None


def test_a_due_recheck_decides_without_any_alarm(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    fill(world, 6)
    scaler.decide("alarm demo-pending")
    fill(world, 12)  # more demand inside the cooldown: clamped, with a recheck
    (clamped,) = scaler.decide("alarm demo-pending")
    assert clamped.capped_by is Guard.OUT_COOLDOWN
    assert scaler.recheck() == ()
    assert clamped.recheck_at is not None
    world.clock.advance(clamped.recheck_at - world.clock.now())
    scaler.recheck()
    assert desired(world) == 4  # three nodes would hold them all, but with nothing to spare


@pytest.mark.parametrize("pool", [WORKERS, None])
def test_an_alarm_that_stays_in_alarm_is_decided_again(
    world: World, scaler: Scaler, alarms: FakeAlarms, pool: PoolName | None
) -> None:
    world.with_worker("i-0a")
    fill(world, 6)
    alarms.pools.add(pool)
    assert [decision.direction for decision in scaler.recheck()] == [Direction.OUT]


def two_workers(world: World) -> None:
    world.fleet.set_desired("demo-workers", 2)
    world.with_worker("i-0a")
    world.with_worker("i-0b")


def test_an_empty_node_is_drained_and_the_group_is_not_shrunk_ahead_of_it(world: World, scaler: Scaler) -> None:
    two_workers(world)
    world.placer.create(a_request("web-1"))
    (decision,) = scaler.decide("alarm demo-workers-reserved-low")
    (victim,) = decision.victims
    assert world.node(victim).state is NodeState.DRAINING
    assert world.node(victim).containers == 0
    assert desired(world) == 2
    assert world.events.of(Event.NODE_DRAINING) == [{"fleet": FLEET, "node": victim}]


def test_a_group_that_would_not_end_an_instance_is_never_drained(world: World, scaler: Scaler) -> None:
    two_workers(world)
    world.fleet.suspend("demo-workers", "Terminate")
    (decision,) = scaler.decide("alarm demo-workers-reserved-low")
    assert decision.victims == ()
    assert world.node("i-0a").state is NodeState.READY


def test_a_draining_node_is_taken_back_before_a_new_one_is_bought(world: World, scaler: Scaler) -> None:
    two_workers(world)
    fill(world, 4)
    world.store.save_node(replace(world.node("i-0b"), state=NodeState.DRAINING))
    for number in range(3):
        world.placer.create(a_request(f"late-{number}"))
    assert len(world.store.pending()) == 1
    scaler.decide("alarm demo-pending")
    assert world.node("i-0b").state is NodeState.READY
    assert desired(world) == 2


def test_a_decider_that_lost_the_claim_looks_again(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    fill(world, 6)
    world.store.fail("save_scaling", Conflict("somebody else decided"))
    scaler.decide("alarm demo-pending")
    assert desired(world) == 2


def test_a_failed_pool_is_not_grown_and_desired_falls_to_what_is_there(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    world.fleet.set_desired("demo-workers", 3)
    world.store.save_scaling(replace(world.store.scaling(WORKERS), failed_since=world.clock.now()))
    fill(world, 6)
    scaler.decide("Launch Abandoned", WORKERS)
    assert desired(world) == 1


def test_the_decision_is_kept_for_people(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    scaler.decide("alarm demo-pending")
    assert '"trigger": "alarm demo-pending"' in world.store.scaling(WORKERS).last_decision


def test_a_node_that_changed_under_the_scaler_is_left_alone(world: World, scaler: Scaler) -> None:
    two_workers(world)
    world.store.fail("save_node", NodeChanged("raced", world.node("i-0a")))
    scaler.decide("alarm demo-workers-reserved-low")
    assert {world.node(name).state for name in ("i-0a", "i-0b")} == {NodeState.READY}
    assert world.events.of(Event.NODE_DRAINING) == []


def test_what_another_pool_has_been_asked_for_is_not_bought_again(world: World, alarms: FakeAlarms) -> None:
    spare = a_plan("spare")
    world.fleet.add_group(spare.pool.group, max=4)
    world.with_worker("i-0a")
    fill(world, 6)
    scaler = Scaler(
        fleet_name=FLEET,
        store=world.store,
        fleet=world.fleet,
        events=world.events,
        alarms=alarms,
        clock=world.clock,
        pools=[world.plans[WORKERS].pool, spare.pool],
        policies=dict.fromkeys([WORKERS, spare.pool.name], Policy(options(), reserved_high=1.0)),
    )
    scaler.decide("alarm demo-pending")
    scaler.decide("alarm demo-pending")
    assert (desired(world), world.fleet.group(spare.pool.group).desired) == (1, 1)
