"""Queries answer as moto's own do, and look at no more than what they ask for."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from moto.dynamodb.models.table import Table

from local.aws import queries
from local.aws.patching import Patches
from local.aws.server import AwsServer
from swarmkeeper.adapters.aws.table_definition import create_table

QUERIES: list[dict[str, Any]] = [
    {"KeyConditionExpression": "pk = :a"},
    {"KeyConditionExpression": "pk = :none"},
    {"KeyConditionExpression": "pk = :a", "ScanIndexForward": False},
    {"KeyConditionExpression": "pk = :a AND begins_with(sk, :prefix)"},
    {"KeyConditionExpression": "pk = :a", "FilterExpression": "size(sk) > :two"},
    {"IndexName": "by_change", "KeyConditionExpression": "shard = :a"},
    {"IndexName": "by_change", "KeyConditionExpression": "shard = :a", "ScanIndexForward": False},
    {"IndexName": "by_change", "KeyConditionExpression": "shard = :a AND changed_at > :two"},
    {"IndexName": "by_kind", "KeyConditionExpression": "kind = :a AND #order <= :prefix"},
    {"IndexName": "by_kind", "KeyConditionExpression": "kind = :none"},
    {"KeyConditionExpression": "pk = :a", "ProjectionExpression": "sk, node, absent"},
    {"KeyConditionExpression": "pk = :a", "ProjectionExpression": "sk, node.address, node.ports[1]"},
    {"IndexName": "by_change", "KeyConditionExpression": "shard = :a", "ProjectionExpression": "node"},
]
VALUES = {":a": {"S": "a"}, ":none": {"S": "none"}, ":prefix": {"S": "x"}, ":two": {"N": "2"}}


@pytest.fixture
def dynamodb(server: AwsServer) -> Any:
    client = server.client("dynamodb")
    create_table(client, "t")
    chance = Random(1)
    for number in range(60):
        item: dict[str, Any] = {"pk": {"S": chance.choice("abc")}, "sk": {"S": f"{chance.choice('xyz')}{number}"}}
        item["node"] = {"M": {"address": {"S": f"10.0.0.{number}"}, "ports": {"L": [{"N": "1"}, {"N": str(number)}]}}}
        if chance.random() < 0.6:
            item |= {"shard": {"S": chance.choice("ab")}, "changed_at": {"N": str(chance.randrange(5))}}
        if chance.random() < 0.6:
            item |= {"kind": {"S": chance.choice("ab")}, "order": {"S": chance.choice("wxyz")}}
        client.put_item(TableName="t", Item=item)
    return client


def ask(client: Any, query: dict[str, Any], limit: int) -> list[Any]:
    """All pages of the query, `limit` items each."""
    text = " ".join(str(query[key]) for key in query if key.endswith("Expression"))
    values = {name: value for name, value in VALUES.items() if name in text}
    names = {"ExpressionAttributeNames": {"#order": "order"}} if "#order" in text else {}
    pages = client.get_paginator("query").paginate(
        TableName="t", ExpressionAttributeValues=values, PaginationConfig={"PageSize": limit}, **names, **query
    )
    return [page["Items"] for page in pages]


@pytest.mark.parametrize("limit", [3, 100])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(map(str, query.values())))
def test_the_answer_is_motos_own(server: AwsServer, dynamodb: Any, query: dict[str, Any], limit: int) -> None:
    narrow = ask(dynamodb, query, limit)
    server._patches.undo()  # put back by nobody: the server ends with this test
    assert narrow == ask(dynamodb, query, limit)


def test_a_query_sorts_its_partition_only(server: AwsServer, dynamodb: Any) -> None:
    table: Table = server.backend("dynamodb").tables["t"]
    looked_at: list[int] = []
    patches = Patches()
    all_items = Table.all_items

    def counted(each: Table) -> Any:
        found = all_items(each)
        looked_at.append(len(found))
        return found

    patches.replace(Table, "all_items", counted)
    ask(dynamodb, QUERIES[0], 100)
    patches.undo()
    assert looked_at == [len([item for item in table.all_items() if item.hash_key.value == "a"])]


def test_a_table_without_range_keys_is_left_to_moto(server: AwsServer) -> None:
    client = server.client("dynamodb")
    client.create_table(
        TableName="flat",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    client.put_item(TableName="flat", Item={"pk": {"S": "a"}})
    found = client.query(
        TableName="flat", KeyConditionExpression="pk = :a", ExpressionAttributeValues={":a": {"S": "a"}}
    )
    assert found["Items"] == [{"pk": {"S": "a"}}]


def test_moto_is_as_it_was_afterwards() -> None:
    before = (Table.query, Table.all_items)
    patches = Patches()
    queries.install(patches)
    assert (Table.query, Table.all_items) != before
    patches.undo()
    assert (Table.query, Table.all_items) == before
