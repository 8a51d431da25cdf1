"""Alarm actions fire once a state change: what is needed while an alarm stays in ALARM comes from rechecks."""

from __future__ import annotations

from typing import Any, cast

import pytest

from local.aws.disturbance import Disturbance
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import SLOTS, World

pytestmark = pytest.mark.loop

PENDING = "demo-pending"
LOW = "demo-workers-reserved-low"


def became(world: World, alarm: str, state: str) -> int:
    """How often the alarm changed to the state."""
    answer = world.client("cloudwatch").describe_alarm_history(AlarmName=alarm, HistoryItemType="StateUpdate")
    return sum(f"to {state}" in item["HistorySummary"] for item in answer["AlarmHistoryItems"])


def triggers(world: World, direction: str) -> list[str]:
    """What made the scaler decide for that direction, oldest first."""
    decisions = cast(list[dict[str, Any]], world.cloud.history()["decisions"])
    return [decision["trigger"] for decision in decisions if decision["direction"] == direction]


def request(world: World, kind: str, count: int) -> None:
    for number in range(count):
        assert world.request(f"{kind}-{number}")["status"] in (201, 202)


def spend_action(world: World, alarm: str, before: int) -> None:
    """Wait until the alarm has gone off once more, and the scaler has decided to do nothing on its one action."""
    world.wait(f"that {alarm} goes off", lambda: became(world, alarm, "ALARM") == before + 1, limit_s=150)
    world.wait("that its action is decided on", lambda: f"alarm {alarm}" in triggers(world, "none"), limit_s=60)


def test_an_alarm_that_stays_in_alarm_drives_two_scale_outs_and_two_scale_ins(make_world: MakeWorld) -> None:
    # A message that comes twice is another test's: its copy could arrive when it may have its way again.
    once = Disturbance(duplicate_share=0.0)
    world = make_world("simulated", agent_delay_s=20.0, disturbance=once)
    # Else the second alarm's own action would do what a recheck must do here.
    world.client("cloudwatch").disable_alarm_actions(AlarmNames=["demo-workers-reserved-high"])
    world.first_worker()
    with world.suspended("Launch"):
        request(world, "first", SLOTS + 1)
        spend_action(world, PENDING, 0)
        assert triggers(world, "out") == []
    world.wait("a recheck's action", lambda: world.group()["DesiredCapacity"] == 2, limit_s=150)
    request(world, "second", SLOTS)
    world.wait("another recheck's action", lambda: world.group()["DesiredCapacity"] == 3, limit_s=150)
    assert became(world, PENDING, "ALARM") == 1
    world.wait("that both are told", lambda: triggers(world, "out") == ["recheck", "recheck"], limit_s=10)
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=120)

    before = became(world, LOW, "ALARM")
    with world.suspended("Terminate"):
        for name in world.containers():
            world.fleet.remove(name)
        spend_action(world, LOW, before)
        assert triggers(world, "in") == []
    world.wait("that only the minimum is left", lambda: len(world.nodes()) == 1, limit_s=300)
    world.wait("that the group has followed", lambda: world.group()["DesiredCapacity"] == 1, limit_s=30)
    assert became(world, LOW, "ALARM") == before + 1
    world.wait("that both are told", lambda: triggers(world, "in") == ["recheck", "recheck"], limit_s=10)
