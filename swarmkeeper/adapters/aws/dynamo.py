"""DynamoDB's calls as the store needs them: consistent reads, pages, conditional writes, contention."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore.exceptions import ClientError

from swarmkeeper.adapters.aws.errors import THROTTLING, aws_errors, code_of, message_of
from swarmkeeper.adapters.aws.items import Item, number, text
from swarmkeeper.adapters.aws.writes import Terms, Write
from swarmkeeper.errors import Contention, InvalidInput, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

R = TypeVar("R")

INDEX = "by_kind"
CHANGES = "by_change"
LAST = "~"
"""Sorts after every order that we write: all are times or instance ids."""
BATCH = 100  # BatchGetItem's limit
PATIENCE = 10
"""Tries of a write whose condition nobody's decision hangs on, when other writers are in its way."""
PAUSE_S = 0.04
UNPROCESSED_ROUNDS = 8


class ConditionFailed(Exception):
    """A single write's condition did not hold; `actual` is the item that is there, None when there is none."""

    def __init__(self, actual: Item | None) -> None:
        super().__init__()
        self.actual = actual


class TransactionRefused(Exception):
    """Conditions of a transaction did not hold: `actual` maps each failed write's position to the item there."""

    def __init__(self, actual: dict[int, Item | None]) -> None:
        super().__init__()
        self.actual = actual


@dataclass(frozen=True, slots=True)
class DynamoTable:
    """One table. `pause` waits, `jitter` answers 0 to 1; both are given by tests."""

    client: DynamoDBClient
    name: str
    pause: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def get(self, key: Item) -> Item | None:
        """Read one item, strongly consistent."""
        with aws_errors():
            return self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")

    def get_attribute(self, key: Item, attribute: str) -> Item:
        """Read one attribute of an item, strongly consistent: `{}` without the item, or where it lacks that."""
        with aws_errors():
            return self.client.get_item(
                TableName=self.name,
                Key=key,
                ConsistentRead=True,
                ProjectionExpression="#attribute",
                ExpressionAttributeNames={"#attribute": attribute},
            ).get("Item", {})

    def get_all(self, keys: Sequence[Item]) -> list[Item]:
        """Read the items that exist, strongly consistent, in no order."""
        return [item for start in range(0, len(keys), BATCH) for item in self._batch(keys[start : start + BATCH])]

    def _batch(self, keys: Sequence[Item]) -> Iterator[Item]:
        wanted: Sequence[Any] = keys
        for turn in range(UNPROCESSED_ROUNDS):
            with aws_errors():
                answer = self.client.batch_get_item(RequestItems={self.name: {"Keys": wanted, "ConsistentRead": True}})
            yield from answer["Responses"].get(self.name, [])
            if self.name not in answer["UnprocessedKeys"]:
                return
            wanted = answer["UnprocessedKeys"][self.name]["Keys"]
            self._wait(turn)
        raise Unavailable(f"BatchGetItem left {len(wanted)} keys unread")

    def keys_of_kind(self, kind: str, *, up_to: str = LAST) -> list[Item]:
        """The keys under `kind` in the index with an order of at most `up_to`, in its order.

        The index may lag behind the table.
        """
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=INDEX,
            KeyConditionExpression="#kind = :kind AND #order <= :up_to",
            ExpressionAttributeNames={"#kind": "kind", "#order": "order"},
            ExpressionAttributeValues={":kind": text(kind), ":up_to": text(up_to)},
        )
        with aws_errors():
            return [{"pk": item["pk"], "sk": item["sk"]} for page in pages for item in page["Items"]]

    def sort_keys(self, pk: str, prefix: str) -> list[str]:
        """The sort keys under `pk` that begin with `prefix`, ordered, strongly consistent."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            ConsistentRead=True,
            KeyConditionExpression="#pk = :pk AND begins_with(#sk, :prefix)",
            ProjectionExpression="#sk",
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"},
            ExpressionAttributeValues={":pk": text(pk), ":prefix": text(prefix)},
        )
        with aws_errors():
            return [item["sk"]["S"] for page in pages for item in page["Items"]]

    def partition(self, pk: str) -> list[Item]:
        """Every item under `pk`, strongly consistent."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            ConsistentRead=True,
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames={"#pk": "pk"},
            ExpressionAttributeValues={":pk": text(pk)},
        )
        with aws_errors():
            return [item for page in pages for item in page["Items"]]

    def changed_items(self, shard: str, after_ms: int) -> list[Item]:
        """What the index of changes shows of the shard's items that were changed after that time."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=CHANGES,
            KeyConditionExpression="#shard = :shard AND #changed_at > :after",
            ExpressionAttributeNames={"#shard": "shard", "#changed_at": "changed_at"},
            ExpressionAttributeValues={":shard": text(shard), ":after": number(after_ms)},
        )
        with aws_errors():
            return [item for page in pages for item in page["Items"]]

    def scan(self, prefix: str) -> list[Item]:
        """Every item whose `pk` begins with `prefix`; reads the whole table."""
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.name,
            ConsistentRead=True,
            FilterExpression="begins_with(#pk, :prefix)",
            ExpressionAttributeNames={"#pk": "pk"},
            ExpressionAttributeValues={":prefix": text(prefix)},
        )
        with aws_errors():
            return [item for page in pages for item in page["Items"]]

    def write(self, write: Write) -> Item:
        """Do one write; returns the item as stored after an update, else `{}`.

        Raises ConditionFailed, and Contention when transactions stay in its way.
        """
        return self._patiently(lambda: self._write_once(write))

    def _write_once(self, write: Write) -> Item:
        with aws_errors():
            try:
                return self._send(write)
            except ClientError as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    raise ConditionFailed(cast("Item | None", error.response.get("Item"))) from error
                if code_of(error) == "TransactionConflictException":
                    raise Contention("another transaction holds the item") from error
                _refuse_oversize(error, message_of(error))
                raise

    def _send(self, write: Write) -> Item:
        asked = self._parameters(write)
        if write.kind == "Put":
            self.client.put_item(**asked)
            return {}
        if write.kind == "Delete":
            self.client.delete_item(**asked)
            return {}
        return self.client.update_item(**asked, ReturnValues="ALL_NEW").get("Attributes", {})

    def transact(self, writes: Sequence[Write]) -> None:
        """Do all writes or none, once. Raises TransactionRefused, Contention."""
        # A token for each call, not one made from its contents: botocore's own retries of this call are applied
        # once, while a release that is the same as one some minutes ago is not taken for its echo.
        token = uuid.uuid4().hex
        # moto and DynamoDB name the parameters alike for single writes and for parts of a transaction.
        parts = [cast("TransactWriteItemTypeDef", {write.kind: self._parameters(write)}) for write in writes]
        with aws_errors():
            try:
                self.client.transact_write_items(TransactItems=parts, ClientRequestToken=token)
            except ClientError as error:
                _raise_cancelled(error)
                raise

    def transact_patiently(self, writes: Sequence[Write]) -> None:
        """`transact`, again with jitter while other writers are in its way: for writes that must come through."""
        self._patiently(lambda: self.transact(writes))

    def _patiently(self, attempt: Callable[[], R]) -> R:
        for turn in range(PATIENCE - 1):
            try:
                return attempt()
            except Contention:
                self._wait(turn)
        return attempt()

    def _wait(self, turn: int) -> None:
        self.pause(PAUSE_S * (turn + 1) * self.jitter())

    def _parameters(self, write: Write) -> dict[str, Any]:
        """The parameters by AWS's names; their shape depends on the kind, so no single type fits."""
        asked: dict[str, Any] = {"TableName": self.name, "Item" if write.kind == "Put" else "Key": write.item}
        if write.expression:
            asked["UpdateExpression"] = write.expression
        return asked | _condition(write.terms)


def _condition(terms: Terms) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if terms.conditions:
        asked["ConditionExpression"] = " AND ".join(terms.conditions)
        asked["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if terms.names:
        asked["ExpressionAttributeNames"] = terms.names
    if terms.values:
        asked["ExpressionAttributeValues"] = terms.values
    return asked


def _raise_cancelled(error: ClientError) -> None:
    """Say why the transaction was cancelled; returns when it wasn't, or for a reason that is a bug."""
    if code_of(error) == "TransactionConflictException":
        raise Contention("another transaction holds an item") from error
    reasons: list[dict[str, Any]] = cast("Any", error.response).get("CancellationReasons", [])
    codes = [reason.get("Code", "None") for reason in reasons]
    # A failed condition teaches more than the conflict beside it, so it is looked for first.
    failed = {at: reasons[at].get("Item") for at, code in enumerate(codes) if code == "ConditionalCheckFailed"}
    if failed:
        raise TransactionRefused(failed) from error
    if "TransactionConflict" in codes:
        raise Contention("another transaction holds an item") from error
    if THROTTLING.intersection(codes):
        raise Unavailable("TransactWriteItems: throttled") from error
    for reason in reasons:
        _refuse_oversize(error, reason.get("Message", ""))


def _refuse_oversize(error: ClientError, message: str) -> None:
    if "Item size" in message:
        raise InvalidInput("request", "is larger than the 400 KB that one record may hold") from error
