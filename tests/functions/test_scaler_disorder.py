"""Whatever is told twice, late and out of order, the scaler buys what one message would have bought."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from functions.scaler import handler as scaler_function
from functions.scaler.triggers import TriggerRules
from functions.scaler.wiring import Wired
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.alarm_owner import AlarmOwner
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.services.scaler import Scaler
from tests.fakes import FakeAlarms, a_request
from tests.fakes.builders import options
from tests.functions.recorded import Context, in_queue, recorded
from tests.unit.services.world import FLEET, World, a_plan

POLICY = Policy(options(), limits=Limits(out_cooldown_s=0, in_cooldown_s=0))
ASKING = (
    "alarm_pending",
    "alarm_several_records",
    "alarm_maths",
    "alarm_composite",
    "alarm_action",
    "alarm_action_composite",
    "alarm_changed",
    "launch_abandoned",
    "schedule",
)
HARMLESS = ("alarm_ok", "alarm_insufficient_data", "alarm_garbage", "launch_cancelled", "foreign_launch_unsuccessful")
SHUFFLES = 60


def messages() -> list[dict[str, Any]]:
    """One of every kind."""
    return [recorded(name) for name in (*ASKING, *HARMLESS)] + [in_queue(recorded("capacity_needed"))]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Two pools of workers, and six requests that wait; the pending alarm stands."""
    world = World().with_manager()
    world.plans[PoolName("spare")] = a_plan("spare")
    world.fleet.add_group("demo-spare", max=4)
    scaler = Scaler(
        fleet_name=FLEET,
        store=world.store,
        fleet=world.fleet,
        events=world.events,
        alarms=FakeAlarms(None),
        clock=world.clock,
        pools=[plan.pool for plan in world.plans.values()],
        policies=dict.fromkeys(world.plans, POLICY),
        history=world.history,
    )
    groups = {"demo-workers": PoolName("workers"), "demo-spare": PoolName("spare")}
    rules = TriggerRules(FLEET, lambda arn: AlarmOwner(FLEET, PoolName("workers")), groups)
    monkeypatch.setattr(scaler_function, "wired", lambda: Wired(scaler, rules, FLEET))
    for number in range(6):
        world.placer.create(a_request(f"web-{number}"))
    return world


def sizes(world: World) -> tuple[int, int]:
    return world.fleet.group("demo-workers").desired, world.fleet.group("demo-spare").desired


def tell(*events: dict[str, Any]) -> None:
    for event in events:
        scaler_function.handler(event, Context())


def bought_at_once(world: World) -> tuple[int, int]:
    tell(recorded("alarm_pending"))
    return sizes(world)


def test_each_kind_of_message_alone_buys_what_is_needed(world: World) -> None:
    wanted = bought_at_once(world)
    assert sum(wanted) > 1


def test_each_decision_that_changes_a_pool_is_a_metric_of_its_own(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = dict(zip(("workers", "spare"), bought_at_once(world), strict=True))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"DecidedNodes"' in line]
    assert {(one["Fleet"], one["Pool"], one["Direction"]): one["DecidedNodes"] for one in told} == {
        (FLEET, pool, "out"): [size] for pool, size in wanted.items()
    }


@pytest.mark.parametrize("seed", range(SHUFFLES))
def test_all_messages_twice_in_any_order_buy_no_more_than_one(world: World, seed: int) -> None:
    once = bought_at_once(world)
    twice = messages() * 2
    Random(seed).shuffle(twice)
    tell(*twice)
    assert sizes(world) == once


@pytest.mark.parametrize("name", [*ASKING, "capacity_needed"])
def test_every_kind_of_message_that_asks_buys_the_same(world: World, name: str) -> None:
    event = recorded(name)
    tell(in_queue(event) if name == "capacity_needed" else event)
    first = sizes(world)
    assert sum(first) > 1
    assert first == bought_at_once(world)


@pytest.mark.parametrize("seed", range(SHUFFLES))
def test_a_failed_launch_told_twice_amid_other_messages_moves_the_demand_once(world: World, seed: int) -> None:
    workers, spare = bought_at_once(world)
    failed, other = ("demo-workers", "demo-spare") if workers > 1 else ("demo-spare", "demo-workers")
    failure = recorded("launch_unsuccessful", AutoScalingGroupName=failed)
    failure["time"] = "2023-11-14T22:13:20Z"  # the clock's own time
    tell(failure)
    moved = sizes(world)
    assert world.fleet.group(other).desired > min(workers, spare)
    rest = [failure, failure, *messages(), *messages()]
    Random(seed).shuffle(rest)
    tell(*rest)
    assert sizes(world) == moved
