"""Listings that are read page by page, each page by a caller of its own."""

from __future__ import annotations

from typing import Any

from swarmkeeper.adapters.aws.dynamo import DynamoTable
from swarmkeeper.adapters.aws.errors import aws_errors
from swarmkeeper.adapters.aws.items import Item, key, text
from swarmkeeper.errors import InvalidInput

BETWEEN = "\n"
"""Stands between the keys of a position; no name of ours can hold it."""


def scan_page(table: DynamoTable, prefix: str, *, limit: int, after: str) -> tuple[list[Item], str]:
    """Those of at most `limit` items read whose `pk` begins with `prefix`, and the position of the last one read.

    `after` is the position of the page before, "" for the first page; "" is returned with the last. Raises
    InvalidInput when `after` is no position.
    """
    begin: dict[str, Any] = {"ExclusiveStartKey": _key_at(after)} if after else {}
    with aws_errors():
        answer = table.client.scan(
            TableName=table.name,
            Limit=limit,
            FilterExpression="begins_with(#pk, :prefix)",
            ExpressionAttributeNames={"#pk": "pk"},
            ExpressionAttributeValues={":prefix": text(prefix)},
            **begin,
        )
    last = answer.get("LastEvaluatedKey")
    return answer["Items"], f"{last['pk']['S']}{BETWEEN}{last['sk']['S']}" if last else ""


def _key_at(position: str) -> Item:
    pk, _, sk = position.partition(BETWEEN)
    if not pk or not sk:
        raise InvalidInput("next", "is not what a page before returned")
    return key(pk, sk)
