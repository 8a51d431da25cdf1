"""DynamoDB's queries at the cost of the partition they read.

For every query moto sorts all items of the table: 0.1 s at 1,000 containers, and a placement may ask 8 partitions of
an index. Here it is given the items of the partition alone; all the rest is moto's.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from local.aws.patching import Patches

HashKeys = Sequence[tuple[str, DynamoType]]


def install(patches: Patches) -> None:
    """Let moto's queries look at one partition. Requests must come one at a time, as the server has them."""
    state = threading.local()
    query, all_items = Table.query, Table.all_items

    def narrow_query(
        table: Table, hash_key: DynamoType, *given: Any, index_name: str | None = None, **named: Any
    ) -> tuple[list[Item], int, dict[str, Any] | None]:
        conditions: HashKeys | None = named.get("hash_key_conditions")
        state.items = _of_index(table, conditions) if index_name else _of_partition(table, hash_key)
        try:
            return query(table, hash_key, *given, index_name=index_name, **named)
        finally:
            state.items = None

    def narrow_items(table: Table) -> list[Item]:
        narrow: list[Item] | None = getattr(state, "items", None)
        return all_items(table) if narrow is None else narrow

    patches.replace(Table, "query", narrow_query)
    patches.replace(Table, "all_items", narrow_items)


def _of_partition(table: Table, hash_key: DynamoType) -> list[Item] | None:
    """The items under the hash key; None, for all items, where there is no range key to hold them apart."""
    if not table.range_key_attr:
        return None
    held: dict[DynamoType, Item] = table.items.get(hash_key, {})
    return list(held.values())


def _of_index(table: Table, conditions: HashKeys | None) -> list[Item] | None:
    """The items that an index has under these keys, in the order in which moto gives all."""
    if not table.range_key_attr or not conditions:
        return None
    every = (item for held in table.items.values() for item in held.values())
    found = [item for item in every if all(item.attrs.get(name) == value for name, value in conditions)]
    return sorted(found, key=lambda item: (item.hash_key, item.range_key))
