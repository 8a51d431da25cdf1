"""Which alarms count: those that act on the scaler, by their metrics' dimensions or their own tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from swarmkeeper.adapters.aws.alarms import REMEMBERED_S, CloudWatchAlarms
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.alarm_owner import NOBODY, AlarmOwner
from swarmkeeper.errors import Unavailable
from tests.fakes import FixedClock

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

ARN = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:demo-alarms"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:demo-scaler"
NONE: dict[str, Any] = {"MetricAlarms": [], "CompositeAlarms": []}
TAGGED = [{"Key": "swarmkeeper:fleet", "Value": "demo"}, {"Key": "swarmkeeper:pool", "Value": "workers"}]


@pytest.fixture
def client() -> CloudWatchClient:
    return boto3.session.Session("key-of-the-tests", "secret", region_name="eu-central-1").client("cloudwatch")


@pytest.fixture
def aws(client: CloudWatchClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def asked(action: str) -> dict[str, Any]:
    return {"StateValue": "ALARM", "ActionPrefix": action, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}


def dimensions(*named: str) -> list[dict[str, str]]:
    return [dict(zip(("Name", "Value"), each.split("="), strict=True)) for each in named]


def test_alarms_say_by_their_dimensions_whose_they_are(client: CloudWatchClient, aws: Stubber) -> None:
    plain = {"AlarmArn": f"{ARN}a", "Dimensions": dimensions("Fleet=demo", "Pool=workers")}
    whole = {"AlarmArn": f"{ARN}b", "Dimensions": dimensions("Fleet=demo")}
    foreign = {"AlarmArn": f"{ARN}c", "Dimensions": dimensions("Fleet=other", "Pool=theirs")}
    aws.add_response("describe_alarms", {"MetricAlarms": [plain, whole, foreign]}, asked(TOPIC))
    assert CloudWatchAlarms(client, [TOPIC]).in_alarm("demo") == {"workers", None}


def test_metric_maths_says_it_by_the_metrics_inside(client: CloudWatchClient, aws: Stubber) -> None:
    metric = {"Namespace": "Swarmkeeper", "MetricName": "m", "Dimensions": dimensions("Fleet=demo", "Pool=gpu")}
    stat = {"Metric": metric, "Period": 60, "Stat": "Average"}
    maths = {"AlarmArn": f"{ARN}a", "Metrics": [{"Id": "e", "Expression": "m * 2"}, {"Id": "m", "MetricStat": stat}]}
    aws.add_response("describe_alarms", {"MetricAlarms": [maths]}, asked(TOPIC))
    assert CloudWatchAlarms(client, [TOPIC]).in_alarm("demo") == {"gpu"}


def test_composite_alarms_say_it_by_their_tags(client: CloudWatchClient, aws: Stubber) -> None:
    aws.add_response("describe_alarms", NONE, asked(TOPIC))
    aws.add_response("describe_alarms", NONE | {"CompositeAlarms": [{"AlarmArn": f"{ARN}c"}]}, asked(FUNCTION))
    aws.add_response("list_tags_for_resource", {"Tags": TAGGED}, {"ResourceARN": f"{ARN}c"})
    assert CloudWatchAlarms(client, [TOPIC, FUNCTION]).in_alarm("demo") == {"workers"}


def test_an_alarm_without_either_is_nobodys(client: CloudWatchClient, aws: Stubber) -> None:
    strange = {"AlarmArn": f"{ARN}s", "Dimensions": dimensions("InstanceId=i-0")}
    aws.add_response("describe_alarms", {"MetricAlarms": [strange]}, asked(TOPIC))
    aws.add_response("list_tags_for_resource", {"Tags": []}, {"ResourceARN": f"{ARN}s"})
    assert CloudWatchAlarms(client, [TOPIC]).in_alarm("demo") == frozenset()


def test_tags_are_read_once_in_some_minutes(client: CloudWatchClient, aws: Stubber) -> None:
    clock = FixedClock()
    alarms = CloudWatchAlarms(client, [TOPIC], now=clock.now)
    aws.add_response("list_tags_for_resource", {"Tags": TAGGED})
    workers = AlarmOwner("demo", PoolName("workers"))
    assert [alarms.owner(f"{ARN}c"), alarms.owner(f"{ARN}c")] == [workers, workers]
    clock.advance(REMEMBERED_S)
    aws.add_response("list_tags_for_resource", {"Tags": TAGGED[:1]})
    assert alarms.owner(f"{ARN}c") == AlarmOwner("demo")


def test_an_alarm_that_was_deleted_is_nobodys(client: CloudWatchClient, aws: Stubber) -> None:
    aws.add_client_error("list_tags_for_resource", "ResourceNotFoundException", http_status_code=404)
    assert CloudWatchAlarms(client, [TOPIC]).owner(f"{ARN}c") == NOBODY


def test_tags_that_cannot_be_read_now_are_asked_for_again(client: CloudWatchClient, aws: Stubber) -> None:
    alarms = CloudWatchAlarms(client, [TOPIC])
    aws.add_client_error("list_tags_for_resource", "Throttling", http_status_code=400)
    with pytest.raises(Unavailable):
        alarms.owner(f"{ARN}c")
    aws.add_response("list_tags_for_resource", {"Tags": TAGGED})
    assert alarms.owner(f"{ARN}c").fleet == "demo"
