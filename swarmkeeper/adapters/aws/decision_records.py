"""The decisions' history in DynamoDB: a table of its own, so that no listing of containers reads through it.

    DECISIONS  <id>  a decision; `facts` is JSON text, `expires_at` lets DynamoDB delete it some time after 30 days

Ids begin with the time. One partition takes a thousand writes a second; a fleet decides some times a minute at most.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from swarmkeeper.adapters.aws.errors import aws_errors
from swarmkeeper.adapters.aws.items import Item, key, number, text
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.decision import ScalingDecision
from swarmkeeper.domain.scaling.history import KEPT_S, StoredDecision, is_decision_id, moment, stored
from swarmkeeper.errors import InvalidInput

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "DECISIONS"
READ_MAX = 1000
"""Decisions that one call reads: those of other pools are read and left out."""


class DynamoDecisions:
    """A DecisionLog in the fleet's history table."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table = table_name

    def record(self, decision: ScalingDecision, *, at: float) -> None:
        with aws_errors():
            self._client.put_item(TableName=self._table, Item=_item(stored(decision.pool, decision.to_log(), at=at)))

    def decisions(
        self, pool: PoolName | None, *, since: float, limit: int, after: str = ""
    ) -> tuple[tuple[StoredDecision, ...], str]:
        if after and not is_decision_id(after):
            raise InvalidInput("next", "is not what a page before returned")
        found: list[StoredDecision] = []
        read = 0
        while read < READ_MAX:
            items, position = self._read(pool, since, after, most=limit + 1)
            found += [_decision_from(item) for item in items]
            if len(found) > limit:
                return tuple(found[:limit]), found[limit - 1].id
            if not position:
                return tuple(found), ""
            after, read = position, read + limit + 1
        return tuple(found), after

    def decision(self, decision_id: str) -> StoredDecision | None:
        if not is_decision_id(decision_id):
            return None
        with aws_errors():
            item = self._client.get_item(TableName=self._table, Key=key(PARTITION, decision_id)).get("Item")
        return None if item is None else _decision_from(item)

    def _read(self, pool: PoolName | None, since: float, after: str, *, most: int) -> tuple[list[Item], str]:
        """Those of the pool among the next `most`, and the last position; "" at the end."""
        more: dict[str, Any] = {"ExclusiveStartKey": key(PARTITION, after)} if after else {}
        if pool is not None:
            more |= {"FilterExpression": "#pool = :pool", "ExpressionAttributeNames": {"#pool": "pool"}}
        values: Item = {":pk": text(PARTITION), ":since": text(moment(since))}
        with aws_errors():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk >= :since",
                ExpressionAttributeValues=values if pool is None else {**values, ":pool": text(pool)},
                ScanIndexForward=False,
                Limit=most,
                **more,
            )
        return answer["Items"], answer.get("LastEvaluatedKey", {}).get("sk", {}).get("S", "")


def _item(decision: StoredDecision) -> Item:
    return {
        **key(PARTITION, decision.id),
        "pool": text(decision.pool),
        "at": number(decision.at),
        "facts": text(json.dumps(decision.facts)),
        "expires_at": number(round(decision.at + KEPT_S)),
    }


def _decision_from(item: Item) -> StoredDecision:
    return StoredDecision(
        id=item["sk"]["S"],
        at=float(item["at"]["N"]),
        pool=PoolName(item["pool"]["S"]),
        facts=json.loads(item["facts"]["S"]),
    )
