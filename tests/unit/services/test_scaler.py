"""Scaling: sized by what waits, one decider acts, cooldowns stored, rechecks instead of repeated alarms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from swarmkeeper.adapters.memory.decisions import MemoryDecisions
from swarmkeeper.adapters.memory.operations import Operation
from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import Node, Pool, PoolName
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.domain.scaling.decision import Direction
from swarmkeeper.domain.scaling.floors import Bounds, Floor
from swarmkeeper.domain.scaling.guards import Guard, Limits
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.errors import Conflict, NodeChanged, Unavailable
from swarmkeeper.ports import Event
from swarmkeeper.services.scaler import Scaler
from tests.fakes import a_request
from tests.fakes.builders import options, resources
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


@dataclass
class FakeTargets:
    """The same bounds for every pool."""

    bounds: Bounds

    def of(self, pool: Pool, nodes: Sequence[Node], now: float) -> Bounds:
        assert all(node.pool == pool.name for node in nodes)
        return self.bounds

    def watches(self, pool: PoolName) -> bool:
        return True


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


def test_a_node_past_its_lifetime_leaves_for_good(world: World) -> None:
    for node_id, age_s in (("i-0a", 86_401), ("i-0b", 0)):
        world.with_worker(node_id)
        world.store.save_node(replace(world.node(node_id), created_at=world.clock.now() - age_s))
    world.fleet.set_desired("demo-workers", 2)
    scaler = a_scaler(world, policies=dict.fromkeys(world.plans, replace(POLICY, max_lifetime_s=86_400.0)))
    (decision,) = scaler.decide("schedule")
    assert decision.victims == ("i-0a",)
    leaving = world.node("i-0a").leaving
    assert leaving is not None
    assert (leaving.cause, world.node("i-0a").reason) == (
        LeaveCause.LIFETIME,
        "older than its pool's max_lifetime",
    )


def test_what_waits_buys_exactly_the_nodes_that_hold_it(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    fill(world, 4 + 5)
    (decision,) = scaler.decide("alarm demo-pending")
    assert (decision.direction, desired(world)) == (Direction.OUT, 3)


@pytest.mark.parametrize("reading", ["pending", "nodes", "containers_on"])
def test_what_is_placed_while_the_fleet_is_looked_at_is_not_bought_for_again(world: World, reading: str) -> None:
    world.with_worker("i-0a")
    scaler = a_scaler(world, policies=dict.fromkeys(world.plans, replace(POLICY, reserved_high=1.0)))
    world.store.save_node(replace(world.node("i-0a"), state=NodeState.DRAINING))
    fill(world, 4)
    world.store.save_node(replace(world.node("i-0a"), state=NodeState.READY))

    def place(operation: Operation) -> None:
        if operation.name == reading:
            world.store.before = lambda _: None
            world.pending.retry()

    world.store.before = place
    (decision,) = scaler.decide("capacity needed")
    assert (decision.direction, desired(world)) == (Direction.NONE, 1)


@pytest.mark.parametrize("reading", ["pending", "nodes", "containers_on"])
def test_what_an_engine_gives_back_while_the_fleet_is_looked_at_is_not_counted_twice(
    world: World, reading: str
) -> None:
    world.with_worker("i-0a")
    scaler = a_scaler(world, policies=dict.fromkeys(world.plans, replace(POLICY, reserved_high=1.0)))
    fill(world, 4)

    def give_back(operation: Operation) -> None:
        if operation.name == reading:
            world.store.before = lambda _: None
            world.store.unplace(world.container("web-0"), reason="its engine refused it")

    world.store.before = give_back
    (decision,) = scaler.decide("capacity needed")
    assert (decision.direction, desired(world)) == (Direction.NONE, 1)


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
    assert world.events.of(Event.PENDING_RETRY) == [{"fleet": FLEET}], "its room is told of"


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


# Failed launches, dry run, history, and what is asked before anything goes.


def in_both(world: World) -> PoolName:
    """A second pool, dearer than the first."""
    spare = replace(a_plan("zspare"), pool=replace(a_plan("zspare").pool, price_per_hour=2.0))
    first = world.plans[WORKERS]
    world.plans[WORKERS] = replace(first, pool=replace(first.pool, price_per_hour=1.0))
    world.plans[spare.pool.name] = spare
    world.fleet.add_group(spare.pool.group, max=4)
    return spare.pool.name


def a_scaler(world: World, **changes: Any) -> Scaler:
    policies = dict.fromkeys(world.plans, replace(POLICY, reserved_high=1.0))
    kept: dict[str, Any] = {
        "fleet_name": FLEET,
        "store": world.store,
        "fleet": world.fleet,
        "events": world.events,
        "alarms": FakeAlarms(),
        "clock": world.clock,
        "pools": [plan.pool for plan in world.plans.values()],
        "policies": policies,
    }
    return Scaler(**(kept | changes))


def test_a_failed_launch_sends_the_demand_to_the_next_pool(world: World) -> None:
    spare = in_both(world)
    world.with_worker("i-0a")
    fill(world, 6)
    scaler = a_scaler(world)
    scaler.decide("alarm demo-pending")
    assert desired(world) == 2
    scaler.launch_failed(WORKERS, "Insufficient capacity", at=world.clock.now())
    assert (desired(world), world.fleet.group("demo-zspare").desired) == (1, 1)
    assert world.store.scaling(WORKERS).unavailable_until == world.clock.now() + 600
    assert world.store.scaling(spare).unavailable_until is None


def test_the_same_failure_heard_twice_or_late_changes_nothing(world: World) -> None:
    in_both(world)
    scaler = a_scaler(world)
    at = world.clock.now()
    scaler.launch_failed(WORKERS, "Insufficient capacity", at=at)
    world.clock.advance(100)
    scaler.launch_failed(WORKERS, "Insufficient capacity", at=at)
    scaler.launch_failed(WORKERS, "Insufficient capacity", at=at - 50)
    assert world.store.scaling(WORKERS).unavailable_until == at + 600


def test_a_failure_that_loses_its_race_is_noted_all_the_same(world: World) -> None:
    world.store.fail("save_scaling", Conflict("somebody else decided"))
    a_scaler(world).launch_failed(WORKERS, "Insufficient capacity", at=world.clock.now())
    assert world.store.scaling(WORKERS).unavailable_until is not None


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (WORKERS, "Instance failed to complete user's Lifecycle Action: it was abandoned"),
        (PoolName("other"), "Insufficient capacity"),
    ],
)
def test_what_a_hook_ended_and_foreign_groups_are_no_failures(world: World, pool: PoolName, message: str) -> None:
    assert a_scaler(world).launch_failed(pool, message) == ()
    assert world.store.scaling(WORKERS).unavailable_until is None


def test_a_dry_run_decides_and_records_but_touches_nothing(world: World, history: MemoryDecisions) -> None:
    world.with_worker("i-0a")
    fill(world, 6)
    scaler = a_scaler(world, dry_run=frozenset({WORKERS}), history=history)
    (decision,) = scaler.decide("alarm demo-pending")
    assert (decision.desired, decision.dry_run, desired(world)) == (2, True, 1)
    state = world.store.scaling(WORKERS)
    assert (state.last_out_at, state.bought) == (0.0, ())
    (stored,), _ = history.decisions(WORKERS, since=0, limit=9)
    assert stored.facts["dry_run"] is True


def test_a_dry_run_drains_nothing(world: World) -> None:
    two_workers(world)
    (decision,) = a_scaler(world, dry_run=frozenset({WORKERS})).decide("alarm demo-workers-reserved-low")
    assert decision.victims
    assert {world.node(name).state for name in ("i-0a", "i-0b")} == {NodeState.READY}


def test_what_changes_something_is_recorded_each_time_and_the_rest_once_an_hour(
    world: World, scaler: Scaler, history: MemoryDecisions
) -> None:
    world.with_worker("i-0a")
    fill(world, 2)
    for _ in range(3):
        scaler.decide("alarm demo-pending")
        world.clock.advance(60)
    assert len(history.decisions(WORKERS, since=0, limit=99)[0]) == 1
    world.clock.advance(3600)
    scaler.decide("alarm demo-pending")
    assert len(history.decisions(WORKERS, since=0, limit=99)[0]) == 2
    world.clock.advance(1)
    fill(world, 8)
    scaler.decide("alarm demo-pending")
    newest, *_ = history.decisions(WORKERS, since=0, limit=99)[0]
    assert (newest.facts["direction"], newest.facts["desired"]) == ("out", 3)


def test_what_is_recorded_is_plain_and_small(world: World, scaler: Scaler, history: MemoryDecisions) -> None:
    for number in range(50):
        request = a_request(f"gpu-{number}", constraints=("node==i-0a",))
        world.store.park(request, reason="constraint", now=world.clock.now())
    scaler.decide("alarm demo-pending")
    (stored,), _ = history.decisions(WORKERS, since=0, limit=9)
    assert len(json.dumps(stored.facts)) < 50_000
    told = stored.facts["unplaceable"]
    assert isinstance(told, list)
    assert (stored.facts["unplaceable_count"], len(told)) == (50, 20)


def test_nothing_goes_while_an_instance_refresh_runs(world: World, scaler: Scaler) -> None:
    two_workers(world)
    world.fleet.refreshes.add("demo-workers")
    (decision,) = scaler.decide("alarm demo-workers-reserved-low")
    assert (decision.victims, decision.capped_by) == ((), Guard.REFRESH)
    assert world.node("i-0a").state is NodeState.READY


def test_a_refresh_is_asked_about_only_when_something_would_go(world: World, scaler: Scaler) -> None:
    world.with_worker("i-0a")
    fill(world, 1)
    world.fleet.fail("refreshing", Unavailable("not asked"))
    scaler.decide("alarm demo-pending")


def test_an_instance_in_standby_is_never_drained(world: World, scaler: Scaler) -> None:
    two_workers(world)
    for name in ("i-0a", "i-0b"):
        world.fleet.stand_by(name)
    assert scaler.decide("alarm demo-workers-reserved-low")[0].victims == ()


def test_nodes_of_an_older_image_are_replaced_where_that_is_asked_for(world: World) -> None:
    two_workers(world)
    world.store.save_node(replace(world.node("i-0b"), image_id="ami-1"))
    world.fleet.images["demo-workers"] = "ami-2"
    dry = {"dry_run": frozenset({WORKERS})}
    assert a_scaler(world, **dry).decide("recheck")[0].victims == ("i-0a",)
    assert a_scaler(world, **dry, drifting=frozenset({WORKERS})).decide("recheck")[0].victims == ("i-0b",)


def test_floors_are_asked_for_each_pool_and_watched_without_an_alarm(world: World) -> None:
    world.with_worker("i-0a")
    targets = FakeTargets(Bounds((Floor(3, "schedule", "office hours"),), silent=("cpu: no data",)))
    (decision,) = a_scaler(world, targets=targets).recheck()
    assert (desired(world), decision.inputs["silent"]) == (3, ["cpu: no data"])


def half_full_with_an_empty_node(world: World) -> None:
    """Two of four nodes hold nothing, the share lies between low and high, and no alarm tells."""
    world.fleet.set_desired("demo-workers", 4)
    for number in range(4):
        world.with_worker(f"i-0{number}")
    for number in range(14):
        world.placer.create(a_request(f"web-{number}"))
    for container in list(world.store.containers()):
        if container.node in ("i-02", "i-03"):
            world.placer.remove(container.request.name)


def test_empty_nodes_go_while_no_alarm_tells_of_them(world: World, scaler: Scaler) -> None:
    half_full_with_an_empty_node(world)
    for _ in range(10):
        world.clock.advance(60)
        scaler.recheck()
    gone = {node.id for node in world.store.nodes() if node.state is NodeState.DRAINING}
    assert len(gone) == 1  # what is left would be above reserved_high
    assert all(node.containers == 0 for node in world.store.nodes() if node.id in gone)


def test_an_empty_node_wakes_nobody_where_it_may_not_go(world: World) -> None:
    half_full_with_an_empty_node(world)
    assert a_scaler(world, dry_run=frozenset({WORKERS})).recheck() == ()
    world.fleet.suspend("demo-workers", "Terminate")
    assert a_scaler(world).recheck() == ()


def test_what_arrives_is_remembered_even_when_nothing_changes(world: World) -> None:
    world.with_worker("i-0a")
    fill(world, 2)
    policy = replace(POLICY, reserved_high=1.0, arrival_headroom=ArrivalHeadroom(boot_s=90, percent=100))
    scaler = a_scaler(world, policies=dict.fromkeys(world.plans, policy))
    scaler.decide("Capacity Needed")
    peak = world.store.scaling(WORKERS).arrivals
    assert (peak.resources, peak.size, peak.at) == (resources(1, 512), resources(0.5, 256), world.clock.now())


def test_a_claim_lost_after_one_pool_was_acted_on_buys_nothing_twice(world: World, history: MemoryDecisions) -> None:
    in_both(world)
    world.with_worker("i-0a")
    fill(world, 30)
    saved = world.store.save_scaling
    calls: list[PoolName] = []

    def second_loses(state: ScalingState) -> ScalingState:
        calls.append(state.pool)
        if len(calls) == 2:
            raise Conflict("somebody else decided")
        return saved(state)

    world.store.save_scaling = second_loses  # type: ignore[method-assign]  # one lost race
    decisions = a_scaler(world, history=history).decide("alarm demo-pending")
    assert (desired(world), world.fleet.group("demo-zspare").desired) == (4, 4)
    recorded = [(each.pool, each.facts["direction"]) for each in history.decisions(None, since=0, limit=9)[0]]
    assert ("workers", "out") in recorded
    assert ("zspare", "out") in recorded
    assert {each.pool: each.direction for each in decisions} == {
        "workers": Direction.OUT,
        "zspare": Direction.OUT,
    }
