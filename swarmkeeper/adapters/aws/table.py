"""The fleet's table in DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.claim_records import ClaimRecords
from swarmkeeper.adapters.aws.container_listing import ContainerListing
from swarmkeeper.adapters.aws.container_records import ContainerRecords
from swarmkeeper.adapters.aws.dynamo import ConditionFailed, DynamoTable
from swarmkeeper.adapters.aws.items import fact_key, number, scaling_key, text
from swarmkeeper.adapters.aws.node_contents import NodeContents
from swarmkeeper.adapters.aws.node_records import NodeRecords
from swarmkeeper.adapters.aws.placing_records import PlacingRecords
from swarmkeeper.adapters.aws.scaling_items import scaling_from, scaling_item
from swarmkeeper.adapters.aws.tenant_records import TenantRecords
from swarmkeeper.adapters.aws.writes import Terms, delete, put
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.errors import Conflict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoStore(
    ContainerRecords, PlacingRecords, ContainerListing, NodeRecords, NodeContents, TenantRecords, ClaimRecords
):
    """StateStore over one table; a method that writes does so in one conditional write or transaction.

    `now` says when nodes were changed, to those who follow the changes.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, *, now: Callable[[], float] = time.time) -> None:
        self.table = DynamoTable(client, table_name)
        self.now = now

    def fact(self, name: str) -> str | None:
        item = self.table.get(fact_key(name))
        return None if item is None else item["value"]["S"]

    def set_fact_once(self, name: str, value: str) -> str:
        try:
            self.table.write(put({**fact_key(name), "value": text(value)}, Terms().absent()))
        except ConditionFailed as failed:
            return value if failed.actual is None else failed.actual["value"]["S"]
        return value

    def replace_fact(self, name: str, *, expected: str | None, value: str | None) -> None:
        as_expected = Terms().absent() if expected is None else Terms().equal("value", text(expected))
        write = (
            delete(fact_key(name), as_expected)
            if value is None
            else put({**fact_key(name), "value": text(value)}, as_expected)
        )
        try:
            self.table.write(write)
        except ConditionFailed as failed:
            raise Conflict(f"the fact {name} is not as expected") from failed

    def scaling(self, pool: PoolName) -> ScalingState:
        item = self.table.get(scaling_key(pool))
        return ScalingState(pool) if item is None else scaling_from(item)

    def save_scaling(self, state: ScalingState) -> ScalingState:
        saved = replace(state, version=state.version + 1)
        # Version 0 is the state of a pool that was never saved.
        unchanged = Terms().equal("version", number(state.version)) if state.version else Terms().absent()
        try:
            self.table.write(put(scaling_item(saved), unchanged))
        except ConditionFailed as failed:
            raise Conflict(f"the scaling state of {state.pool} has changed") from failed
        return saved
