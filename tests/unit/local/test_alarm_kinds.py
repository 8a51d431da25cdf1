"""Metric maths, composite alarms, and alarms that call a function, as on AWS and as the product reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws.alarm_maths import Expression, MathsError, Value
from local.aws.alarm_rules import AlarmState
from local.aws.alarms import Alarms
from local.aws.composite_rules import CompositeRule, RuleError
from local.aws.server import AwsServer
from swarmkeeper.edge.alarms import change_in_action, change_in_detail, change_in_message
from tests.unit.local.cloud_fakes import ManualClock, RecordingBus
from tests.unit.local.test_alarms import START, TOPIC, Cloud, FakeTopics, refusal

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:demo-scaler"
FLEET = {"Name": "Fleet", "Value": "demo"}
POOL = {"Name": "Pool", "Value": "workers"}
Calls = list[tuple[str, str, Any]]


@pytest.fixture(scope="module")
def account() -> Iterator[AwsServer]:
    with AwsServer() as running:
        yield running


@pytest.fixture
def calls() -> Calls:
    return []


@pytest.fixture
def cloud(account: AwsServer, calls: Calls) -> Iterator[Cloud]:
    account.backend("cloudwatch").reset()
    topics, bus, clock = FakeTopics(), RecordingBus(), ManualClock(START)

    def invoke(function: str, alarm: str, event: bytes) -> None:
        if function != FUNCTION:
            raise LookupError(f"no function {function}")
        calls.append((function, alarm, json.loads(event)))

    alarms = Alarms(account.backend("cloudwatch"), topics, bus, clock=clock, invoke=invoke)
    alarms.install()
    try:
        yield Cloud(account, alarms, topics, bus, clock, [])
    finally:
        alarms.uninstall()


def stat(query: str, metric: str) -> dict[str, Any]:
    about = {"Namespace": "Swarmkeeper", "MetricName": metric, "Dimensions": [FLEET, POOL]}
    return {"Id": query, "MetricStat": {"Metric": about, "Period": 10, "Stat": "Maximum"}, "ReturnData": False}


def make_maths(cloud: Cloud, expression: str = "MAX([m1, m2])", **more: Any) -> None:
    told = {"Id": "e1", "Expression": expression, "Label": "busy", "ReturnData": True}
    settings: dict[str, Any] = {
        "AlarmName": "workers-busy",
        "Metrics": [stat("m1", "ReservedShare"), stat("m2", "UsedShare"), told],
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.8,
        "AlarmActions": [TOPIC],
        "Tags": [{"Key": "swarmkeeper:fleet", "Value": "demo"}],
    }
    cloud.api.put_metric_alarm(**(settings | more))


def share(cloud: Cloud, value: float, metric: str = "ReservedShare") -> None:
    cloud.put(value, MetricName=metric, Dimensions=[FLEET, POOL])


def composite(cloud: Cloud, name: str = "busy") -> Any:
    return cloud.api.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]


# Metric maths


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + m2 * 2", 7.0),
        ("(m1 + m2) / 2", 2.0),
        ("-m1 ^ 2", -1.0),
        ("MAX([m1, m2])", 3.0),
        ("AVG([m1, m2, 8])", 4.0),
        ("SUM(METRICS())", 4.0),
        ("MIN([m1, gone])", 1.0),
        ("m1 + gone", None),
        ("FILL(gone, 0) + m1", 1.0),
        ("IF(m1 > m2, m1, m2)", 3.0),
        ("IF(m1 >= 1 AND m2 = 3, 5)", 5.0),
        ("IF(m1 > 1 || m2 > 5, 5)", None),
        ("CEIL(m1 / m2)", 1.0),
        ("m1 / 0", None),
    ],
)
def test_an_expression_is_worked_out_period_by_period(expression: str, expected: Value) -> None:
    assert Expression.parse(expression).at({"m1": 1.0, "m2": 3.0, "gone": None}) == expected


@pytest.mark.parametrize("expression", ["m1 +", "RATE(m1)", "SUM(m1)", "[m1, m2]", "m1.x", "SEARCH('x', 'y')"])
def test_an_expression_that_is_not_emulated_is_refused(expression: str) -> None:
    with pytest.raises(MathsError):
        Expression.parse(expression).at({"m1": 1.0, "m2": 2.0})


def test_an_alarm_over_metric_maths_goes_off(cloud: Cloud) -> None:
    make_maths(cloud)
    share(cloud, 0.5)
    share(cloud, 0.9, "UsedShare")
    cloud.tick()
    (message,) = cloud.topics.messages
    assert message["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [0.9")
    assert message["Trigger"]["Metrics"][0]["MetricStat"]["Metric"]["Dimensions"] == [
        {"value": "demo", "name": "Fleet"},
        {"value": "workers", "name": "Pool"},
    ]
    assert message["Trigger"]["Metrics"][2] == {
        "Expression": "MAX([m1, m2])",
        "Id": "e1",
        "ReturnData": True,
        "Label": "busy",
    }
    assert "MetricName" not in message["Trigger"]


def test_the_product_reads_whose_a_maths_alarm_is_from_the_message_and_the_event(cloud: Cloud) -> None:
    make_maths(cloud)
    share(cloud, 0.9)
    cloud.tick()
    told = change_in_message(cloud.topics.published[0]["Message"])
    (event,) = cloud.bus.of("CloudWatch Alarm State Change")
    assert told is not None
    assert set(told.dimensions) == {("Fleet", "demo"), ("Pool", "workers")}
    assert change_in_detail(event.detail, event.resources) == told


def test_expressions_may_read_expressions_before_them(cloud: Cloud) -> None:
    queries = [
        stat("m1", "ReservedShare"),
        {"Id": "e1", "Expression": "m1 * 2", "ReturnData": False},
        {"Id": "e2", "Expression": "e1 + 1", "ReturnData": True},
    ]
    make_maths(cloud, Metrics=queries, Threshold=2.5)
    share(cloud, 0.9)
    cloud.tick()
    assert cloud.alarm("workers-busy")["StateValue"] == "ALARM"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"Metrics": [stat("m1", "a")]}, "should return data"),
        ({"Metrics": [{**stat("m1", "a"), "ReturnData": True}, stat("m1", "b")]}, "unique"),
        ({"Metrics": [{"Id": "e", "Expression": "1 + 1", "ReturnData": True}]}, "without a metric"),
        ({"MetricName": "x", "Namespace": "y"}, "together with Metrics"),
        ({"Metrics": [stat("m1", "a"), {"Id": "e", "Expression": "m1 + m9", "ReturnData": True}]}, "m9"),
        ({"Metrics": [stat("m1", "a"), {"Id": "e", "Expression": "RATE(m1)", "ReturnData": True}]}, "RATE"),
        ({"ThresholdMetricId": "e1"}, "anomaly detection"),
    ],
)
def test_metric_maths_that_aws_refuses_or_that_is_not_emulated_is_refused(
    cloud: Cloud, more: dict[str, Any], why: str
) -> None:
    code, message = refusal(lambda: make_maths(cloud, **more))
    assert (code, why in message) == ("ValidationError", True), message


# Composite alarms

STATES = {"a": AlarmState.ALARM, "b": AlarmState.OK, "c d": AlarmState.INSUFFICIENT_DATA}


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("ALARM(a)", True),
        ('ALARM("a") AND OK(b)', True),
        ('INSUFFICIENT_DATA("c d") AND NOT ALARM(a)', False),
        ("ALARM(b) OR ALARM(a) AND TRUE", True),
        ("(ALARM(b) OR ALARM(a)) AND FALSE", False),
        ("NOT (ALARM(b) OR OK(a))", True),
        ("ALARM(arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a)", True),
    ],
)
def test_a_rule_is_read_by_precedence(rule: str, holds: bool) -> None:
    assert CompositeRule.parse(rule).holds(STATES) is holds


@pytest.mark.parametrize("rule", ["", "ALARM(a) AND", "(ALARM(a)", "BROKEN(a)", "ALARM(a) ALARM(b)"])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(RuleError):
        CompositeRule.parse(rule)


def test_a_composite_alarm_follows_its_children_and_tells_which_it_was(cloud: Cloud) -> None:
    make_maths(cloud, AlarmActions=[])
    cloud.make_alarm(AlarmActions=[])
    rule = 'ALARM("workers-busy") AND NOT ALARM("demo-pending")'
    cloud.api.put_composite_alarm(AlarmName="busy", AlarmRule=rule, AlarmActions=[TOPIC], AlarmDescription="why")
    assert (composite(cloud)["StateValue"], composite(cloud)["AlarmRule"]) == ("OK", rule)
    share(cloud, 0.9)
    cloud.tick()
    assert composite(cloud)["StateValue"] == "ALARM"
    (message,) = cloud.topics.messages
    assert (message["AlarmRule"], "Trigger" in message) == (rule, False)
    (child,) = message["TriggeringChildren"]
    assert (child["Arn"].rpartition(":")[2], child["State"]["Value"]) == ("workers-busy", "ALARM")
    assert "workers-busy transitioned to ALARM at" in message["NewStateReason"]
    cloud.put(3.0)
    share(cloud, 0.9)
    cloud.tick()
    assert composite(cloud)["StateValue"] == "OK"


def test_a_composite_alarm_over_composite_alarms_follows_too(cloud: Cloud) -> None:
    cloud.make_alarm(AlarmActions=[])
    cloud.api.put_composite_alarm(AlarmName="inner", AlarmRule="ALARM(demo-pending)")
    cloud.api.put_composite_alarm(AlarmName="busy", AlarmRule="ALARM(inner)", AlarmActions=[TOPIC])
    cloud.put(3.0)
    cloud.tick()
    assert [message["AlarmName"] for message in cloud.topics.messages] == ["busy"]


def test_composite_alarms_are_listed_only_when_asked_for(cloud: Cloud) -> None:
    cloud.make_alarm()
    cloud.api.put_composite_alarm(AlarmName="busy", AlarmRule="ALARM(demo-pending)", AlarmActions=[TOPIC])
    assert [each["AlarmName"] for each in cloud.api.describe_alarms()["MetricAlarms"]] == ["demo-pending"]
    both = cloud.api.describe_alarms(ActionPrefix=TOPIC, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert [each["AlarmName"] for each in both["CompositeAlarms"]] == ["busy"]
    assert len(both["MetricAlarms"]) == 1


def test_a_composite_alarm_of_alarms_that_are_not_there_is_refused(cloud: Cloud) -> None:
    refused = refusal(lambda: cloud.api.put_composite_alarm(AlarmName="x", AlarmRule="ALARM(y)"))
    assert refused[0] == "ValidationError"
    assert "[y] in the alarm rule do not exist" in refused[1]


def test_the_product_reads_a_composite_alarm_from_message_event_and_call(cloud: Cloud, calls: Calls) -> None:
    cloud.make_alarm(AlarmActions=[])
    cloud.api.put_composite_alarm(AlarmName="busy", AlarmRule="ALARM(demo-pending)", AlarmActions=[TOPIC, FUNCTION])
    cloud.put(3.0)
    cloud.tick()
    told = change_in_message(cloud.topics.published[0]["Message"])
    event = cloud.bus.of("CloudWatch Alarm State Change")[-1]
    assert told is not None
    assert (told.name, told.state, told.dimensions) == ("busy", "ALARM", ())
    assert change_in_detail(event.detail, event.resources) == told
    assert change_in_action(calls[0][2]) == told


# Functions as actions, and tags


def test_an_alarm_calls_a_function_with_awss_event(cloud: Cloud, calls: Calls) -> None:
    cloud.make_alarm(AlarmActions=[FUNCTION])
    cloud.put(3.0)
    cloud.tick()
    ((function, alarm, event),) = calls
    assert function == FUNCTION
    assert alarm == event["alarmArn"] == cloud.alarm()["AlarmArn"]
    assert (event["source"], event["accountId"], event["region"]) == ("aws.cloudwatch", "123456789012", "eu-central-1")
    data = event["alarmData"]
    assert (data["alarmName"], data["state"]["value"], data["previousState"]["value"]) == (
        "demo-pending",
        "ALARM",
        "INSUFFICIENT_DATA",
    )
    assert data["configuration"]["metrics"][0]["metricStat"]["metric"]["dimensions"] == {"Fleet": "demo"}
    assert data["state"]["timestamp"] == event["time"]


def test_a_call_that_may_not_be_made_is_in_the_history(cloud: Cloud, calls: Calls) -> None:
    other = FUNCTION.replace("scaler", "other")
    cloud.make_alarm(AlarmActions=[other])
    cloud.put(3.0)
    cloud.tick()
    (action,) = cloud.history(HistoryItemType="Action")
    assert (action["HistorySummary"], calls) == (f"Failed to execute action {other}", [])


def test_an_alarms_tags_are_told(cloud: Cloud) -> None:
    make_maths(cloud)
    cloud.api.put_composite_alarm(
        AlarmName="busy", AlarmRule="ALARM(workers-busy)", Tags=[{"Key": "swarmkeeper:pool", "Value": "workers"}]
    )
    for arn, key in (
        (cloud.alarm("workers-busy")["AlarmArn"], "swarmkeeper:fleet"),
        (composite(cloud)["AlarmArn"], "swarmkeeper:pool"),
    ):
        (tag,) = cloud.api.list_tags_for_resource(ResourceARN=arn)["Tags"]
        assert tag["Key"] == key
