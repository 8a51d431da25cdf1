"""DynamoDB's queries at the cost of the partition they read.

For every query moto sorts all items of the table: 0.1 s at 1,000 containers, and a placement may ask 8 partitions of
an index. Here it is given the items of the partition alone. And for every attribute that an index or a request wants of
an item it translates the whole item: here attributes are picked, but where one inside another is wanted. All the rest
is moto's.
"""

from __future__ import annotations

import inspect
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
    query, all_items, project = Table.query, Table.all_items, Item.project

    parameters = inspect.signature(query)

    def narrow_query(table: Table, *args: Any, **kwargs: Any) -> tuple[list[Item], int, dict[str, Any] | None]:
        given = parameters.bind(table, *args, **kwargs).arguments
        in_index = given.get("index_name") is not None
        conditions = given.get("hash_key_conditions")
        state.items = _of_index(table, conditions) if in_index else _of_partition(table, given["hash_key"])
        try:
            return query(table, *args, **kwargs)
        finally:
            state.items = None

    def narrow_items(table: Table) -> list[Item]:
        narrow: list[Item] | None = getattr(state, "items", None)
        return all_items(table) if narrow is None else narrow

    def quick_project(item: Item, projection_expressions: list[list[str]]) -> Item:
        if any(len(path) != 1 for path in projection_expressions):
            return project(item, projection_expressions)
        picked = Item(item.hash_key, item.range_key, {})
        wanted = (name for (name,) in projection_expressions if name in item.attrs)
        picked.attrs.update((name, item.attrs[name]) for name in wanted)
        return picked

    patches.replace(Item, "project", quick_project)
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
    found = [item for item in every if all(_has(item, name, value) for name, value in conditions)]
    return sorted(found, key=lambda item: (item.hash_key, item.range_key))


def _has(item: Item, name: str, value: DynamoType) -> bool:
    held = item.attrs.get(name)
    return held is not None and bool(held == value)
