"""Transactions mean what moto's mean, and cost what they touch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.table import Table

from local.aws.server import AwsServer
from swarmkeeper.adapters.aws.table_definition import create_table

Part = dict[str, dict[str, Any]]


@pytest.fixture
def dynamodb(server: AwsServer) -> Any:
    client = server.client("dynamodb")
    create_table(client, "t")
    for name, number in (("a", 1), ("b", 2)):
        client.put_item(TableName="t", Item={**key(name), "n": {"N": str(number)}, "list": {"L": [{"N": "1"}]}})
    return client


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Table]]:
    """The tables that are copied."""
    seen: list[Table] = []
    before: Callable[[Table, dict[int, Any]], Table] = vars(Table)["__deepcopy__"]

    def noted(table: Table, memo: dict[int, Any]) -> Table:
        made = before(table, memo)
        if made is not table:
            seen.append(table)
        return made

    monkeypatch.setattr(Table, "__deepcopy__", noted)
    yield seen


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": "META"}}


def put(name: str, condition: str = "attribute_not_exists(pk)") -> Part:
    return {"Put": {"TableName": "t", "Item": key(name), "ConditionExpression": condition}}


def add(name: str, at_most: int) -> Part:
    update = {
        "TableName": "t",
        "Key": key(name),
        "UpdateExpression": "ADD #n :one SET #list[0] = :one",
        "ConditionExpression": "#n <= :most",
        "ExpressionAttributeNames": {"#n": "n", "#list": "list"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":most": {"N": str(at_most)}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return {"Update": update}


def delete(name: str) -> Part:
    return {"Delete": {"TableName": "t", "Key": key(name), "ConditionExpression": "attribute_exists(pk)"}}


def items(client: Any) -> dict[str, Any]:
    return {item["pk"]["S"]: item for item in client.scan(TableName="t")["Items"]}


def test_all_parts_are_done(server: AwsServer, dynamodb: Any, copies: list[Table]) -> None:
    dynamodb.transact_write_items(TransactItems=[put("c"), add("a", 1), delete("b")])
    found = items(dynamodb)
    assert sorted(found) == ["a", "c"]
    assert found["a"]["n"] == {"N": "2"}
    assert copies == []


@pytest.mark.parametrize("failing", [add("b", 1), put("a"), delete("none")], ids=["update", "put", "delete"])
def test_none_is_done_when_one_is_refused(dynamodb: Any, copies: list[Table], failing: Part) -> None:
    before = items(dynamodb)
    parts = [put("c"), add("a", 1), failing] if failing != put("a") else [put("c"), delete("b"), failing]
    with pytest.raises(ClientError) as refused:
        dynamodb.transact_write_items(TransactItems=parts)
    codes = [reason["Code"] for reason in refused.value.response["CancellationReasons"]]
    assert codes == ["None", "None", "ConditionalCheckFailed"]
    assert items(dynamodb) == before
    assert copies == []


def test_a_refused_deletion_puts_the_item_back(dynamodb: Any) -> None:
    before = items(dynamodb)
    with pytest.raises(ClientError):
        dynamodb.transact_write_items(TransactItems=[delete("a"), delete("none")])
    assert items(dynamodb) == before


def test_the_true_item_comes_with_the_refusal(dynamodb: Any) -> None:
    with pytest.raises(ClientError) as refused:
        dynamodb.transact_write_items(TransactItems=[put("c"), add("b", 1)])
    reasons: Any = refused.value.response["CancellationReasons"]
    assert reasons[1]["Item"]["n"] == {"N": "2"}


def test_what_is_not_a_legal_transaction_changes_nothing(dynamodb: Any) -> None:
    before = items(dynamodb)
    with pytest.raises(ClientError, match="multiple operations on one item"):
        dynamodb.transact_write_items(TransactItems=[add("a", 1), delete("a")])
    assert items(dynamodb) == before


def test_a_table_is_still_copied_for_whoever_else_asks(server: AwsServer, dynamodb: Any) -> None:
    table: Table = server.backend("dynamodb").tables["t"]
    made = copy.deepcopy(table)
    dynamodb.delete_item(TableName="t", Key=key("a"))
    assert made is not table
    assert sum(len(held) for held in made.items.values()) == 2


def test_moto_is_as_it_was_when_the_server_has_stopped() -> None:
    with AwsServer():
        assert "__deepcopy__" in vars(Table)
    assert "__deepcopy__" not in vars(Table)
