"""What functions ask of AWS is noted, and refused where their role doesn't grant it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from local.aws.asked import Grants, asked_for, operation_of
from local.aws.server import AwsServer
from tests.unit.local.wiring import Account

ITEM = {"pk": {"S": "a"}}


def granting(*actions: str) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    )


@pytest.fixture
def grants(account: Account) -> Iterator[Grants]:
    account.add("demo-scaler")
    iam = account.server.client("iam")
    iam.put_role_policy(RoleName="function", PolicyName="own", PolicyDocument=granting("dynamodb:*Item", "ec2:Desc*"))
    made = Grants(account.server)
    account.server.obstacles.watch(made.before)
    yield made


def function_client(server: AwsServer, service: str, caller: str = "demo-scaler-7") -> object:
    """A client as a function's own, over the network."""
    return get_session().create_client(
        service,
        region_name=server.region,
        endpoint_url=server.endpoint_url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(user_agent_appid=caller, retries={"total_max_attempts": 1}),  # type: ignore[call-arg]  # stubs lag
    )


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_what_is_granted_is_carried_out_and_noted(account: Account, grants: Grants) -> None:
    function_client(account.server, "ec2").describe_instances()  # type: ignore[attr-defined]  # botocore makes them
    assert grants.asked() == {"demo-scaler": {"ec2:DescribeInstances"}}


def test_what_is_not_granted_is_refused_as_the_service_words_it(account: Account, grants: Grants) -> None:
    with pytest.raises(ClientError) as error:
        function_client(account.server, "dynamodb").query(  # type: ignore[attr-defined]
            TableName="t", KeyConditionExpression="pk = :a", ExpressionAttributeValues={":a": {"S": "a"}}
        )
    assert refusal(error)[0] == "AccessDeniedException"
    assert "demo-scaler is not authorized to perform: dynamodb:Query" in refusal(error)[1]
    with pytest.raises(ClientError) as error:
        function_client(account.server, "autoscaling").describe_auto_scaling_groups()  # type: ignore[attr-defined]
    assert refusal(error)[0] == "AccessDenied"
    assert grants.asked()["demo-scaler"] == {
        "dynamodb:Query t",
        "autoscaling:DescribeAutoScalingGroups",
    }


def test_a_policy_that_comes_later_counts(account: Account, grants: Grants) -> None:
    client = function_client(account.server, "autoscaling")
    with pytest.raises(ClientError):
        client.describe_auto_scaling_groups()  # type: ignore[attr-defined]
    iam = account.server.client("iam")
    iam.put_role_policy(RoleName="function", PolicyName="more", PolicyDocument=granting("autoscaling:Describe*"))
    client.describe_auto_scaling_groups()  # type: ignore[attr-defined]


def test_others_than_functions_are_not_looked_at(account: Account, grants: Grants) -> None:
    account.server.client("autoscaling").describe_auto_scaling_groups()
    assert grants.asked() == {}


def test_a_transaction_is_granted_by_what_it_does_to_items() -> None:
    parts = [{"Put": {"TableName": "t", "Item": ITEM}}, {"ConditionCheck": {"TableName": "t", "Key": ITEM}}]
    body = json.dumps({"TransactItems": parts}).encode()
    asked = list(asked_for("dynamodb", operation_of("DynamoDB_20120810.TransactWriteItems", body), body))
    assert asked == [("dynamodb:PutItem", "t"), ("dynamodb:ConditionCheckItem", "t")]


@pytest.mark.parametrize(
    ("service", "operation", "body", "things"),
    [
        pytest.param("dynamodb", "Query", {"TableName": "t", "IndexName": "i"}, ["t/index/i"], id="index"),
        pytest.param("dynamodb", "BatchGetItem", {"RequestItems": {"t": {}, "u": {}}}, ["t", "u"], id="tables"),
        pytest.param("secretsmanager", "GetSecretValue", {"SecretId": "demo/ca"}, ["demo/ca"], id="secret"),
        pytest.param("ssm", "SendCommand", {"DocumentName": "d"}, ["d", "instance"], id="document and instances"),
        pytest.param("ssm", "GetParameter", {"Name": "/demo/settings"}, ["/demo/settings"], id="parameter"),
        pytest.param("sqs", "ChangeMessageVisibility", {"QueueUrl": "http://h/1/q"}, ["q"], id="queue"),
        pytest.param("events", "PutEvents", {"Entries": []}, [""], id="not told"),
    ],
)
def test_what_an_action_is_asked_of_is_told(
    service: str, operation: str, body: dict[str, object], things: list[str]
) -> None:
    asked = asked_for(service, operation, json.dumps(body).encode())
    assert list(asked) == [(f"{service}:{operation}", thing) for thing in things]


def test_an_operation_stands_in_the_header_or_in_the_form() -> None:
    assert list(asked_for("monitoring", operation_of("GraniteServiceVersion20100801.DescribeAlarms", b""), b"")) == [
        ("cloudwatch:DescribeAlarms", "")
    ]
    assert operation_of("", b"Action=DescribeInstances&Version=2016-11-15") == "DescribeInstances"
