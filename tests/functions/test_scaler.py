"""What makes the scaler decide, and what does not: every kind of message, twice, out of order, and broken."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from functions.scaler import handler as scaler_function
from functions.scaler.triggers import Todo, Trigger, TriggerRules, messages_in
from functions.scaler.wiring import Wired
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.alarm_owner import NOBODY, AlarmOwner
from swarmkeeper.domain.scaling.decision import ScalingDecision
from swarmkeeper.errors import Unavailable
from tests.fakes.faults import Fallible, can_fail
from tests.functions.recorded import Context, in_queue, recorded

WORKERS = PoolName("workers")
ARN = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:"
OWNERS = {f"{ARN}busy-in-office-hours": AlarmOwner("demo", WORKERS)}

ASKING = {
    "alarm_pending": (Todo.DECIDE, None),
    "alarm_reserved_low": (Todo.DECIDE, WORKERS),
    "alarm_maths": (Todo.DECIDE, WORKERS),
    "alarm_composite": (Todo.DECIDE, WORKERS),
    "alarm_action": (Todo.DECIDE, None),
    "alarm_action_composite": (Todo.DECIDE, WORKERS),
    "alarm_changed": (Todo.DECIDE, None),
    "capacity_needed": (Todo.DECIDE, None),
    "launch_abandoned": (Todo.DECIDE, WORKERS),
    "launch_unsuccessful": (Todo.NOTE_LAUNCH_FAILURE, WORKERS),
    "schedule": (Todo.RECHECK, None),
}
"""What each recorded message asks for, and of which pool."""
HARMLESS = (
    "alarm_ok",
    "alarm_insufficient_data",
    "alarm_garbage",
    "autoscaling_test_notification",
    "launch_cancelled",
    "foreign_launch_unsuccessful",
    "node_ready",
)


def rules(**owners: AlarmOwner) -> TriggerRules:
    pools = {"demo-workers": WORKERS, "demo-gpu": PoolName("gpu")}
    return TriggerRules("demo", lambda arn: (OWNERS | owners).get(arn, NOBODY), pools)


def the_trigger(event: dict[str, Any]) -> Trigger:
    (heard,) = messages_in(event)
    return rules().trigger(heard)


def alarm(name: str = "alarm_pending", **changes: Any) -> dict[str, Any]:
    event = recorded(name)
    sns = event["Records"][0]["Sns"]
    sns["Message"] = json.dumps(json.loads(sns["Message"]) | changes)
    return event


@pytest.mark.parametrize("name", ASKING)
def test_a_message_asks_for_what_it_is_about(name: str) -> None:
    trigger = the_trigger(recorded(name))
    assert (trigger.todo, trigger.pool) == ASKING[name]


@pytest.mark.parametrize("name", HARMLESS)
def test_a_message_that_asks_for_nothing_is_ignored_with_the_reason(name: str) -> None:
    trigger = the_trigger(recorded(name))
    assert trigger.todo is Todo.NOTHING
    assert trigger.reason


def test_a_trigger_tells_who_asked() -> None:
    assert the_trigger(recorded("alarm_pending")).name == "alarm demo-pending"
    assert messages_in(recorded("alarm_pending"))[0].cause == "95df01b4-ee98-5cb9-9903-4c221d41eb5e"
    assert messages_in(recorded("alarm_action"))[0].cause == f"{ARN}demo-pending 2026-03-01T12:00:12.345+0000"


def test_a_failed_launch_comes_with_what_it_failed_of() -> None:
    assert "do not have sufficient t3.small capacity" in the_trigger(recorded("launch_unsuccessful")).reason
    assert the_trigger(recorded("launch_unsuccessful", EC2InstanceId=None)).instance_id == ""
    with_instance = recorded("launch_unsuccessful", EC2InstanceId="i-0123456789abcdef0")
    assert the_trigger(with_instance).instance_id == "i-0123456789abcdef0"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(alarm(NewStateValue="BROKEN"), id="no state of an alarm"),
        pytest.param(alarm(Trigger={"Dimensions": [{"name": "Fleet", "value": "other"}]}), id="another fleet"),
        pytest.param(alarm(Trigger={"Dimensions": [{"name": "InstanceId", "value": "i-0"}]}), id="no fleet, no tags"),
        pytest.param(alarm(Trigger={"Dimensions": "x"}), id="dimensions of no form"),
        pytest.param(alarm("alarm_composite", AlarmArn=f"{ARN}untagged"), id="a composite alarm without tags"),
        pytest.param(alarm("alarm_composite", AlarmArn=None), id="an alarm that does not say which"),
        pytest.param(recorded("launch_abandoned", pool="managers"), id="a pool that is not sized"),
        pytest.param(recorded("capacity_needed", fleet="other"), id="another fleet's need"),
        pytest.param(recorded("capacity_needed", fleet=7), id="a need of no form"),
        pytest.param(recorded("launch_unsuccessful", AutoScalingGroupName=None), id="a launch of no group"),
        pytest.param({**recorded("alarm_changed"), "detail": {}}, id="an event without its detail"),
        pytest.param({**recorded("alarm_action"), "alarmData": {"alarmName": "x"}}, id="an action without a state"),
        pytest.param({}, id="nothing"),
        pytest.param({"Records": 1}, id="records that are no list"),
        pytest.param({"Records": [{}]}, id="a record without a message"),
        pytest.param({"Records": ["x"]}, id="a record of no form"),
        pytest.param({"detail-type": "x"}, id="half an event"),
    ],
)
def test_foreign_and_malformed_messages_ask_for_nothing(event: dict[str, Any]) -> None:
    trigger = the_trigger(event)
    assert (trigger.todo, bool(trigger.reason)) == (Todo.NOTHING, True)


def test_an_alarm_over_two_pools_is_about_the_whole_fleet() -> None:
    event = alarm("alarm_maths")
    message = json.loads(event["Records"][0]["Sns"]["Message"])
    message["Trigger"]["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"][1]["value"] = "gpu"
    trigger = the_trigger(alarm("alarm_maths", **message))
    assert (trigger.todo, trigger.pool) == (Todo.DECIDE, None)


def test_an_alarm_whose_tags_name_no_pool_of_ours_asks_for_nothing() -> None:
    event = alarm("alarm_composite", AlarmArn=f"{ARN}typo")
    (heard,) = messages_in(event)
    trigger = rules(**{f"{ARN}typo": AlarmOwner("demo", PoolName("wrokers"))}).trigger(heard)
    assert (trigger.todo, "wrokers is no pool" in trigger.reason) == (Todo.NOTHING, True)


def test_tags_say_whose_an_alarm_on_a_strange_metric_is() -> None:
    event = alarm(AlarmArn=f"{ARN}queue", Trigger={"Dimensions": [{"name": "QueueName", "value": "jobs"}]})
    (heard,) = messages_in(event)
    assert rules(**{f"{ARN}queue": AlarmOwner("demo")}).trigger(heard).todo is Todo.DECIDE
    assert rules(**{f"{ARN}queue": AlarmOwner("other")}).trigger(heard).todo is Todo.NOTHING


def test_of_several_records_the_bad_one_stands_among_the_others() -> None:
    triggers = [rules().trigger(heard) for heard in messages_in(recorded("alarm_several_records"))]
    assert [each.todo for each in triggers] == [Todo.NOTHING, Todo.NOTHING, Todo.DECIDE, Todo.DECIDE]
    assert "Message" in triggers[1].reason


@dataclass
class FakeScaler(Fallible):
    """Keeps what it was asked."""

    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        Fallible.__init__(self)

    @can_fail
    def decide(self, trigger: str, pool: PoolName | None = None) -> tuple[ScalingDecision, ...]:
        self.asked.append((trigger, pool))
        return ()

    @can_fail
    def recheck(self) -> tuple[ScalingDecision, ...]:
        self.asked.append(("recheck", None))
        return ()

    @can_fail
    def launch_failed(
        self, pool: PoolName, message: str, *, instance_id: str = "", at: float = 0.0
    ) -> tuple[ScalingDecision, ...]:
        self.asked.append((f"launch failed at {at:.0f}", pool))
        return ()


@pytest.fixture
def scaler(monkeypatch: pytest.MonkeyPatch) -> FakeScaler:
    fake = FakeScaler()
    wired = Wired(fake, rules(), "demo")  # type: ignore[arg-type]  # as much of it as is used
    monkeypatch.setattr(scaler_function, "wired", lambda: wired)
    return fake


def test_every_record_is_acted_upon_though_one_is_broken(scaler: FakeScaler) -> None:
    scaler_function.handler(recorded("alarm_several_records"), Context())
    assert scaler.asked == [("alarm demo-pending", None), ("alarm demo-workers-reserved-low", WORKERS)]


def test_a_record_that_fails_comes_again_and_the_others_are_not_lost(scaler: FakeScaler) -> None:
    scaler.fail("decide", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        scaler_function.handler(recorded("alarm_several_records"), Context())
    assert scaler.asked == [("alarm demo-workers-reserved-low", WORKERS)]
    scaler_function.handler(recorded("alarm_several_records"), Context())
    assert ("alarm demo-pending", None) in scaler.asked


def test_several_failures_are_all_told(scaler: FakeScaler) -> None:
    scaler.fail("decide", Unavailable("no answer"), times=2)
    with pytest.raises(ExceptionGroup) as raised:
        scaler_function.handler(recorded("alarm_several_records"), Context())
    assert len(raised.value.exceptions) == 2


@pytest.mark.parametrize("name", HARMLESS)
def test_what_asks_for_nothing_is_not_retried(scaler: FakeScaler, name: str) -> None:
    scaler_function.handler(recorded(name), Context())
    assert scaler.asked == []


def test_a_failed_launch_told_twice_is_noted_by_the_same_time(scaler: FakeScaler) -> None:
    for _ in range(2):
        scaler_function.handler(recorded("launch_unsuccessful"), Context())
    assert scaler.asked == [("launch failed at 1772366412", WORKERS)] * 2


def test_what_several_messages_ask_for_alike_is_done_once(scaler: FakeScaler) -> None:
    event = recorded("alarm_pending")
    event["Records"] *= 3
    scaler_function.handler(event, Context())
    assert scaler.asked == [("alarm demo-pending", None)]


def test_needs_that_waited_in_the_queue_are_one_decision(scaler: FakeScaler) -> None:
    needs = in_queue(recorded("capacity_needed"), recorded("capacity_needed"))
    assert scaler_function.handler(needs, Context()) == {"batchItemFailures": []}
    assert scaler.asked == [("Capacity Needed", None)]


def test_a_message_of_the_queue_that_fails_comes_again_alone(scaler: FakeScaler) -> None:
    scaler.fail("decide", Unavailable("no answer"))
    batch = in_queue("no JSON", recorded("capacity_needed"), recorded("launch_abandoned"))
    answer = scaler_function.handler(batch, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-2"}]}
    assert scaler.asked == [("Launch Abandoned", WORKERS)]


def test_the_schedule_asks_for_rechecks(scaler: FakeScaler) -> None:
    scaler_function.handler(recorded("schedule"), Context())
    assert scaler.asked == [("recheck", None)]
