"""Alarm actions fire once a state change: what is needed while an alarm stays in ALARM comes from rechecks."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.e2e.conftest import MakeWorld
from tests.e2e.world import SLOTS, World

pytestmark = pytest.mark.loop


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


def test_an_alarm_that_stays_in_alarm_drives_two_scale_outs_and_two_scale_ins(make_world: MakeWorld) -> None:
    world = make_world("simulated", agent_delay_s=20.0)
    # Else the second alarm's own action would do what a recheck must do here.
    world.client("cloudwatch").disable_alarm_actions(AlarmNames=["demo-workers-reserved-high"])
    world.first_worker()
    request(world, "first", SLOTS + 1)
    world.wait("the alarm's own action", lambda: world.group()["DesiredCapacity"] == 2, limit_s=60)
    request(world, "second", SLOTS)
    world.wait("a recheck's action", lambda: world.group()["DesiredCapacity"] == 3, limit_s=150)
    assert became(world, "demo-pending", "ALARM") == 1
    assert triggers(world, "out") == ["alarm demo-pending", "recheck"]
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=120)

    before = became(world, "demo-workers-reserved-low", "ALARM")
    for name in world.containers():
        world.fleet.remove(name)
    world.wait("that only the minimum is left", lambda: len(world.nodes()) == 1, limit_s=300)
    world.wait("that the group has followed", lambda: world.group()["DesiredCapacity"] == 1, limit_s=30)
    assert became(world, "demo-workers-reserved-low", "ALARM") == before + 1
    assert len(triggers(world, "in")) == 2
    assert triggers(world, "in")[1] == "recheck"
