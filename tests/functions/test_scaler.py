"""What makes the scaler decide, and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.scaler.triggers import Trigger, triggers_in
from swarmkeeper.errors import InvalidInput
from tests.functions.recorded import recorded


def alarm(**changes: Any) -> dict[str, Any]:
    event = recorded("alarm_pending")
    sns = event["Records"][0]["Sns"]
    message = json.loads(sns["Message"]) | changes
    sns["Message"] = json.dumps(message)
    return event


def the_trigger(event: dict[str, Any]) -> Trigger:
    (trigger,) = triggers_in(event, "demo")
    return trigger


def test_an_alarm_of_the_whole_fleet_is_for_every_pool() -> None:
    trigger = the_trigger(recorded("alarm_pending"))
    assert (trigger.name, trigger.pool, trigger.ignored) == ("alarm demo-pending", None, "")
    assert trigger.cause == "95df01b4-ee98-5cb9-9903-4c221d41eb5e"


def test_an_alarm_with_a_pool_is_for_that_pool() -> None:
    dimensions = [{"name": "Fleet", "value": "demo"}, {"name": "Pool", "value": "workers"}]
    assert the_trigger(alarm(Trigger={"Dimensions": dimensions})).pool == "workers"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(alarm(NewStateValue="OK"), id="back to OK"),
        pytest.param(alarm(NewStateValue="INSUFFICIENT_DATA"), id="no data"),
        pytest.param(alarm(Trigger={"Dimensions": [{"name": "Fleet", "value": "other"}]}), id="another fleet"),
        pytest.param(alarm(Trigger={"Metrics": []}), id="metric maths"),
        pytest.param(alarm(NewStateValue="BROKEN"), id="not an alarm's message"),
    ],
)
def test_messages_that_ask_for_nothing_are_ignored_with_the_reason(event: dict[str, Any]) -> None:
    assert the_trigger(event).ignored


def test_a_test_notification_is_ignored() -> None:
    event = recorded("alarm_pending")
    event["Records"][0]["Sns"]["Message"] = "hello"
    assert the_trigger(event).ignored == "it is not an alarm's message"


def test_several_records_are_several_triggers() -> None:
    event = recorded("alarm_pending")
    event["Records"] *= 3
    assert len(triggers_in(event, "demo")) == 3


def test_the_schedule_asks_for_rechecks() -> None:
    assert the_trigger(recorded("schedule")).is_schedule


@pytest.mark.parametrize("event", [{}, {"Records": 1}, {"Records": [{}]}, recorded("node_ready")])
def test_anything_else_is_refused_with_its_field(event: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        triggers_in(event, "demo")
