"""One address serves all APIs of an account that starts empty."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from local.aws.server import AwsServer


def test_a_server_starts_with_an_empty_account() -> None:
    with AwsServer() as first:
        first.client("sqs").create_queue(QueueName="old")
    with AwsServer() as second:
        assert "QueueUrls" not in second.client("sqs").list_queues()


def test_a_port_that_is_taken_is_an_error_and_leaves_the_first_server_alone(server: AwsServer) -> None:
    server.client("sqs").create_queue(QueueName="mine")
    with pytest.raises(OSError, match="can't be bound"):
        AwsServer(port=server.port)
    assert server.client("sqs").list_queues()["QueueUrls"]


def test_state_can_be_reached_in_process(server: AwsServer) -> None:
    server.client("sqs").create_queue(QueueName="mine")
    server.client("iam").create_group(GroupName="everywhere")
    assert list(server.backend("sqs").queues) == ["mine"]
    assert list(server.backend("iam").groups) == ["everywhere"]


def test_it_names_its_address_as_seen_from_elsewhere(server: AwsServer) -> None:
    assert server.endpoint_url == f"http://127.0.0.1:{server.port}"
    assert server.endpoint_url_at("10.0.0.1") == f"http://10.0.0.1:{server.port}"


def test_only_one_of_many_conditional_writes_at_once_wins(server: AwsServer) -> None:
    dynamodb = server.client("dynamodb")
    dynamodb.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )

    def claim(number: int) -> bool:
        item = {"pk": {"S": f"name-{number % 10}"}, "by": {"N": str(number)}}
        try:
            dynamodb.put_item(TableName="t", Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
            return False
        return True

    with ThreadPoolExecutor(8) as writers:
        assert sum(writers.map(claim, range(80))) == 10
