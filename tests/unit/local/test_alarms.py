"""CloudWatch alarms behave as on AWS: through boto3, against the emulated APIs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse

from local.aws.alarms import Alarms
from local.aws.server import AwsServer
from tests.unit.local.cloud_fakes import ManualClock, RecordingBus, eventually

TOPIC = "arn:aws:sns:eu-central-1:123456789012:demo-alarms"
POLICY = "arn:aws:autoscaling:eu-central-1:123456789012:scalingPolicy:x:autoScalingGroupName/demo:policyName/out"
PENDING: dict[str, Any] = {
    "AlarmName": "demo-pending",
    "Namespace": "Swarmkeeper",
    "MetricName": "PendingContainers",
    "Dimensions": [{"Name": "Fleet", "Value": "demo"}],
    "Statistic": "Maximum",
    "Period": 10,
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 0.0,
    "TreatMissingData": "notBreaching",
    "AlarmActions": [TOPIC],
}
START = 1_700_000_040.0
"""A whole minute."""


@dataclass
class FakeTopics:
    """An SNS client that keeps what is published; `fault` makes it fail."""

    published: list[dict[str, str]] = field(default_factory=list)
    fault: Exception | None = None

    def publish(self, **message: str) -> None:
        if self.fault:
            raise self.fault
        self.published.append(message)

    @property
    def messages(self) -> list[Any]:
        return [json.loads(message["Message"]) for message in self.published]


@dataclass
class Cloud:
    server: AwsServer
    alarms: Alarms
    topics: FakeTopics
    bus: RecordingBus
    clock: ManualClock
    policies: list[str]

    @property
    def api(self) -> Any:
        return self.server.client("cloudwatch")

    def make_alarm(self, **more: Any) -> None:
        self.api.put_metric_alarm(**(PENDING | more))

    def put(self, value: float, *, ago_s: float = 0.0, resolution: int = 1, **more: Any) -> None:
        datum = {
            "MetricName": "PendingContainers",
            "Dimensions": [{"Name": "Fleet", "Value": "demo"}],
            "Value": value,
            "Timestamp": datetime.fromtimestamp(self.clock() - ago_s, UTC),
            "StorageResolution": resolution,
        }
        self.api.put_metric_data(Namespace="Swarmkeeper", MetricData=[datum | more])

    def tick(self, seconds: float = 10.0) -> None:
        """Let time pass and evaluate, as the clock's thread would."""
        self.clock.advance(seconds)
        self.alarms.evaluate_at(self.clock())

    def alarm(self, name: str = "demo-pending") -> Any:
        return self.api.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]

    def history(self, **more: Any) -> list[Any]:
        return list(self.api.describe_alarm_history(**more)["AlarmHistoryItems"])


@pytest.fixture(scope="module")
def account() -> Iterator[AwsServer]:
    with AwsServer() as running:
        yield running


@pytest.fixture
def cloud(account: AwsServer) -> Iterator[Cloud]:
    account.backend("cloudwatch").reset()
    topics, bus, clock = FakeTopics(), RecordingBus(), ManualClock(START)
    policies: list[str] = []
    alarms = Alarms(
        account.backend("cloudwatch"), topics, bus, clock=clock, run_policy=lambda arn: policies.append(arn)
    )
    alarms.install()
    try:
        yield Cloud(account, alarms, topics, bus, clock, policies)
    finally:
        alarms.uninstall()


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# State and actions


def test_a_new_alarm_has_insufficient_data(cloud: Cloud) -> None:
    cloud.make_alarm()
    alarm = cloud.alarm()
    assert alarm["StateValue"] == "INSUFFICIENT_DATA"
    assert alarm["StateReason"] == "Unchecked: Initial alarm creation"


def test_a_breaching_metric_alarms_and_publishes_once_for_the_change(cloud: Cloud) -> None:
    cloud.make_alarm()
    for _ in range(4):
        cloud.put(3.0)
        cloud.tick()
    assert cloud.alarm()["StateValue"] == "ALARM"
    assert [message["NewStateValue"] for message in cloud.topics.messages] == ["ALARM"]


def test_an_alarm_that_recovers_and_breaches_again_publishes_again(cloud: Cloud) -> None:
    cloud.make_alarm(OKActions=[TOPIC])
    for value in (1.0, 0.0, 1.0):
        cloud.put(value)
        cloud.tick()
    assert [message["NewStateValue"] for message in cloud.topics.messages] == ["ALARM", "OK", "ALARM"]


def test_the_message_is_the_one_that_cloudwatch_sends(cloud: Cloud) -> None:
    cloud.make_alarm(AlarmDescription="containers wait")
    cloud.put(5.0)
    cloud.tick()
    (sent,) = cloud.topics.published
    assert sent["TopicArn"] == TOPIC
    assert sent["Subject"] == 'ALARM: "demo-pending" in EU (Frankfurt)'
    assert json.loads(sent["Message"]) == {
        "AlarmName": "demo-pending",
        "AlarmDescription": "containers wait",
        "AWSAccountId": "123456789012",
        "AlarmConfigurationUpdatedTimestamp": "2023-11-14T22:14:00.000+0000",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed: 1 out of the last 1 datapoints [5.0 (14/11/23 22:14:00)] was greater than"
        " the threshold (0.0) (minimum 1 datapoint for INSUFFICIENT_DATA -> ALARM transition).",
        "StateChangeTime": "2023-11-14T22:14:10.000+0000",
        "Region": "EU (Frankfurt)",
        "AlarmArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:demo-pending",
        "OldStateValue": "INSUFFICIENT_DATA",
        "OKActions": [],
        "AlarmActions": [TOPIC],
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "PendingContainers",
            "Namespace": "Swarmkeeper",
            "StatisticType": "Statistic",
            "Statistic": "MAXIMUM",
            "Unit": None,
            "Dimensions": [{"value": "demo", "name": "Fleet"}],
            "Period": 10,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0.0,
            "TreatMissingData": "notBreaching",
            "EvaluateLowSampleCountPercentile": "",
        },
    }


def test_a_change_of_state_is_an_event_on_the_bus(cloud: Cloud) -> None:
    cloud.make_alarm(AlarmDescription="containers wait")
    cloud.put(5.0)
    cloud.tick()
    (event,) = cloud.bus.of("CloudWatch Alarm State Change")
    assert (event.source, event.resources) == ("aws.cloudwatch", (cloud.alarm()["AlarmArn"],))
    detail: Any = event.detail
    assert (detail["alarmName"], detail["state"]["value"]) == ("demo-pending", "ALARM")
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert json.loads(detail["state"]["reasonData"])["recentDatapoints"] == [5.0]
    (metric,) = detail["configuration"]["metrics"]
    assert metric["metricStat"] == {
        "metric": {"namespace": "Swarmkeeper", "name": "PendingContainers", "dimensions": {"Fleet": "demo"}},
        "period": 10,
        "stat": "Maximum",
    }


def test_disabled_actions_do_not_run_though_the_state_changes(cloud: Cloud) -> None:
    cloud.make_alarm(ActionsEnabled=False)
    cloud.put(5.0)
    cloud.tick()
    assert (cloud.alarm()["StateValue"], cloud.topics.published) == ("ALARM", [])
    assert len(cloud.bus.events) == 1


def test_insufficient_data_has_its_own_actions(cloud: Cloud) -> None:
    cloud.make_alarm(TreatMissingData="missing", AlarmActions=[], InsufficientDataActions=[TOPIC])
    cloud.put(0.0)
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "OK"
    for _ in range(3):
        cloud.tick()
    assert [message["NewStateValue"] for message in cloud.topics.messages] == ["INSUFFICIENT_DATA"]
    assert cloud.alarm()["StateReason"].startswith("Insufficient Data: 1 datapoint was unknown")


def test_an_action_that_fails_is_in_the_history_and_the_others_run(cloud: Cloud) -> None:
    cloud.topics.fault = RuntimeError("no such topic")
    cloud.make_alarm(AlarmActions=[TOPIC, POLICY])
    cloud.put(5.0)
    cloud.tick()
    assert cloud.policies == [POLICY]
    actions = cloud.history(HistoryItemType="Action")
    assert [item["HistorySummary"] for item in actions] == [
        f"Successfully executed action {POLICY}",
        f"Failed to execute action {TOPIC}",
    ]


def test_set_alarm_state_runs_actions_and_lasts_until_the_next_evaluation(cloud: Cloud) -> None:
    cloud.make_alarm()

    def force() -> None:
        cloud.api.set_alarm_state(AlarmName="demo-pending", StateValue="ALARM", StateReason="a drill")

    force()
    force()
    assert [message["NewStateReason"] for message in cloud.topics.messages] == ["a drill"]
    assert cloud.alarm()["StateValue"] == "ALARM"
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "OK"


def test_setting_the_state_of_an_unknown_alarm_is_refused(cloud: Cloud) -> None:
    call = lambda: cloud.api.set_alarm_state(AlarmName="x", StateValue="OK", StateReason="y")  # noqa: E731
    assert refusal(call)[0] in ("ResourceNotFound", "ResourceNotFoundException")


def test_a_changed_alarm_keeps_its_state(cloud: Cloud) -> None:
    cloud.make_alarm()
    cloud.put(5.0)
    cloud.tick()
    cloud.make_alarm(Threshold=10.0)
    assert (cloud.alarm()["StateValue"], cloud.alarm()["Threshold"]) == ("ALARM", 10.0)
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "OK"


def test_history_tells_configuration_state_and_action_newest_first(cloud: Cloud) -> None:
    cloud.make_alarm()
    cloud.put(5.0)
    cloud.tick()
    items = cloud.history(AlarmName="demo-pending")
    assert [item["HistoryItemType"] for item in items] == ["Action", "StateUpdate", "ConfigurationUpdate"]
    assert items[1]["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    assert json.loads(items[1]["HistoryData"])["newState"]["stateValue"] == "ALARM"
    (update,) = cloud.history(HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
    assert update["Timestamp"] == datetime.fromtimestamp(START + 10, UTC)


# When, and over what, an alarm is evaluated


def test_a_standard_alarm_is_evaluated_on_whole_minutes_only(cloud: Cloud) -> None:
    cloud.make_alarm(Period=60)
    cloud.put(5.0)
    for _ in range(5):
        cloud.tick()
        assert cloud.alarm()["StateValue"] == "INSUFFICIENT_DATA"
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "ALARM"


def test_data_of_standard_resolution_are_kept_by_the_minute(cloud: Cloud) -> None:
    cloud.make_alarm(TreatMissingData="missing")
    cloud.clock.advance(30)
    cloud.put(5.0, resolution=60)
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "INSUFFICIENT_DATA"  # the datum stands at the minute's start
    (point,) = cloud.api.get_metric_statistics(
        Namespace="Swarmkeeper",
        MetricName="PendingContainers",
        StartTime=datetime.fromtimestamp(START - 60, UTC),
        EndTime=datetime.fromtimestamp(START + 60, UTC),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    assert point["Timestamp"] == datetime.fromtimestamp(START, UTC)


def test_only_the_metric_with_exactly_the_alarms_dimensions_counts(cloud: Cloud) -> None:
    cloud.make_alarm()
    cloud.put(5.0, Dimensions=[{"Name": "Fleet", "Value": "other"}])
    cloud.put(5.0, Dimensions=[{"Name": "Fleet", "Value": "demo"}, {"Name": "Pool", "Value": "web"}])
    cloud.put(5.0, Dimensions=[])
    cloud.put(5.0, MetricName="Other")
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "OK"


def test_an_alarm_with_a_unit_counts_only_data_of_that_unit(cloud: Cloud) -> None:
    cloud.make_alarm(Unit="Count")
    cloud.put(5.0, Unit="Seconds")
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "OK"
    cloud.put(5.0, Unit="Count")
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "ALARM"


def test_value_sets_and_arrays_count_like_single_values(cloud: Cloud) -> None:
    cloud.make_alarm(Statistic="Sum", Threshold=20.0)
    at = datetime.fromtimestamp(cloud.clock(), UTC)
    named = {"MetricName": "PendingContainers", "Dimensions": PENDING["Dimensions"], "Timestamp": at}
    sets = {"SampleCount": 3.0, "Sum": 12.0, "Minimum": 1.0, "Maximum": 8.0}
    data = [
        {**named, "StatisticValues": sets, "StorageResolution": 1},
        {**named, "Values": [2.0, 3.0], "Counts": [3.0, 1.0], "StorageResolution": 1},
    ]
    cloud.api.put_metric_data(Namespace="Swarmkeeper", MetricData=data)
    cloud.tick()
    assert json.loads(cloud.alarm()["StateReasonData"])["recentDatapoints"] == [21.0]


def test_a_percentile_can_be_watched(cloud: Cloud) -> None:
    definition = {key: value for key, value in PENDING.items() if key != "Statistic"}
    cloud.api.put_metric_alarm(**definition | {"ExtendedStatistic": "p90", "Threshold": 8.5})
    for value in range(1, 11):
        cloud.put(float(value))
    cloud.tick()
    assert cloud.alarm()["StateValue"] == "ALARM"
    assert cloud.topics.messages[0]["Trigger"]["ExtendedStatistic"] == "p90"


def test_old_data_are_forgotten(cloud: Cloud) -> None:
    cloud.put(1.0, ago_s=4 * 3600)
    cloud.put(2.0)
    cloud.tick()
    assert [datum.value for datum in cloud.alarms.backend.metric_data] == [2.0]  # type: ignore[attr-defined]


# Refusals


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"Period": 15}, id="a period of 15 s"),
        pytest.param({"Period": 90}, id="not a multiple of 60"),
        pytest.param({"EvaluationPeriods": 2, "DatapointsToAlarm": 3}, id="m above n"),
        pytest.param({"Period": 300, "EvaluationPeriods": 289}, id="more than a day"),
        pytest.param({"ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold"}, id="anomaly band"),
        pytest.param({"TreatMissingData": "maybe"}, id="unknown treatment"),
        pytest.param({"Statistic": "Median"}, id="unknown statistic"),
        pytest.param({"ExtendedStatistic": "p90"}, id="two statistics"),
        pytest.param({"AlarmActions": [TOPIC] * 6}, id="six actions"),
        pytest.param({"AlarmActions": ["arn:aws:ssm:eu-central-1:123456789012:opsitem:1"]}, id="other action"),
    ],
)
def test_an_alarm_that_aws_would_refuse_or_that_is_not_emulated_is_refused(cloud: Cloud, more: dict[str, Any]) -> None:
    assert refusal(lambda: cloud.make_alarm(**more))[0] in ("ValidationError", "InvalidParameterValue")
    assert cloud.api.describe_alarms()["MetricAlarms"] == []


def test_alarms_are_described_by_all_filters_together(cloud: Cloud) -> None:
    for name in ("demo-a", "demo-b", "other"):
        cloud.make_alarm(AlarmName=name)
    cloud.api.set_alarm_state(AlarmName="demo-b", StateValue="ALARM", StateReason="x")
    found = cloud.api.describe_alarms(AlarmNamePrefix="demo-", StateValue="ALARM")["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == ["demo-b"]


# The thread


def test_alarms_are_evaluated_on_the_clock_by_themselves(account: AwsServer) -> None:
    account.backend("cloudwatch").reset()
    topics, bus = FakeTopics(), RecordingBus()
    # A clock that runs a hundred times as fast, so that ten seconds of it pass in a tenth of one.
    began = time.monotonic()
    clock = lambda: START + (time.monotonic() - began) * 100  # noqa: E731
    alarms = Alarms(account.backend("cloudwatch"), topics, bus, clock=clock, clock_rate=100)
    alarms.install()
    alarms.start()
    try:
        account.client("cloudwatch").put_metric_alarm(**PENDING | {"TreatMissingData": "breaching"})
        eventually(lambda: topics.published)
        assert topics.messages[0]["NewStateValue"] == "ALARM"
    finally:
        alarms.uninstall()


def test_uninstalling_leaves_moto_as_it_was(cloud: Cloud) -> None:
    assert hasattr(CloudWatchResponse, "describe_alarm_history")
    cloud.alarms.uninstall()
    assert not hasattr(CloudWatchResponse, "describe_alarm_history")
    assert CloudWatchBackend.put_metric_data.__module__ == "moto.cloudwatch.models"
