"""Attributes of DynamoDB come back as they were written, whichever way they are serialized."""

from __future__ import annotations

from inspect import getmembers, isfunction

import pytest
from moto.dynamodb.responses import DynamoHandler

from local.aws.answers import Methods, as_sent
from local.aws.server import AwsServer

NESTED = {"M": {"a": {"L": [{"S": "x"}, {"NULL": True}, {"M": {}}, {"L": []}]}, "": {"BOOL": False}}}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"S": ""}, id="empty text"),
        pytest.param({"S": "ä\u2028"}, id="text"),
        pytest.param({"N": "-1.5"}, id="number"),
        pytest.param({"BOOL": False}, id="false"),
        pytest.param({"NULL": True}, id="null"),
        pytest.param({"SS": ["a", "b"]}, id="texts"),
        pytest.param({"NS": ["1", "2"]}, id="numbers"),
        pytest.param({"L": []}, id="empty list"),
        pytest.param({"M": {}}, id="empty map"),
        pytest.param(NESTED, id="nested"),
        pytest.param({"B": b"\x00\xff"}, id="binary"),
        pytest.param({"M": {"a": {"B": b"\x00\xff"}, "b": {"S": "x"}}}, id="binary inside"),
    ],
)
def test_a_value_comes_back_as_it_was_written(server: AwsServer, value: object) -> None:
    client = server.client("dynamodb")
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    item = {"pk": {"S": "one"}, "value": value}
    client.put_item(TableName="t", Item=item)
    assert client.get_item(TableName="t", Key={"pk": {"S": "one"}})["Item"] == item
    assert client.scan(TableName="t")["Items"] == [item]


def test_binary_values_are_left_to_moto() -> None:
    assert as_sent({"B": "AAE="}) is None
    assert as_sent({"L": [{"S": "a"}, {"BS": ["AAE="]}]}) is None
    assert as_sent(NESTED) == NESTED


def test_services_are_told_apart_by_their_requests(server: AwsServer) -> None:
    for _ in range(2):  # the second time it is remembered
        assert server.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert server.client("sns").list_topics()["Topics"] == []
        assert server.client("dynamodb").list_tables()["TableNames"] == []


def test_a_classes_methods_are_found_without_listing_them() -> None:
    methods = Methods(DynamoHandler)
    names = {name for name, _ in getmembers(DynamoHandler, isfunction)}
    assert {name for name in dir(DynamoHandler) if name in methods} == names
    assert "list_backup_selections" not in methods
