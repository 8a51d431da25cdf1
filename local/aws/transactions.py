"""DynamoDB's transactions at the cost of what they touch.

Before a transaction moto copies the whole table, to put it back when a condition fails: 0.2 s at 1,000 containers.
Here only the items that the transaction names are kept. All the rest is moto's: conditions, refusals, limits.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from local.aws.patching import Patches

Parts = Sequence[Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An item as it was; None when there was none."""

    table: Table
    hash_key: DynamoType
    range_key: DynamoType | None
    item: Item | None

    def put_back(self) -> None:
        stored: Any = self.table.items  # by hash key, or by hash key and range key
        holder, key = (stored, self.hash_key) if self.range_key is None else (stored[self.hash_key], self.range_key)
        if self.item is None:
            holder.pop(key, None)
        else:
            holder[key] = self.item


def install(patches: Patches) -> None:
    """Let moto's transactions keep items, not tables. Requests must come one at a time, as the server has them."""
    state = threading.local()
    transact = DynamoDBBackend.transact_write_items

    def transact_write_items(backend: DynamoDBBackend, transact_items: Parts) -> None:
        kept = _kept(backend, transact_items)
        state.within = True
        try:
            transact(backend, transact_items)  # type: ignore[arg-type]  # moto wants dicts, which these are
        except BaseException:
            for each in kept:
                each.put_back()
            raise
        finally:
            state.within = False

    def table_or_copy(table: Table, memo: dict[int, Any]) -> Table:
        """Within a transaction the table itself: what moto then takes back is put back here."""
        return table if getattr(state, "within", False) else _whole_copy(table, memo)

    patches.replace(DynamoDBBackend, "transact_write_items", transact_write_items)
    patches.replace(Table, "__deepcopy__", table_or_copy)


def _kept(backend: DynamoDBBackend, transact_items: Parts) -> list[_Kept]:
    """What the named items are now. Names that moto will refuse are left to it."""
    return [kept for part in transact_items for named in part.values() if (kept := _keep(backend, named)) is not None]


def _keep(backend: DynamoDBBackend, named: Mapping[str, Any]) -> _Kept | None:
    table = backend.tables.get(named.get("TableName", ""))
    key: Mapping[str, Any] = named.get("Key") or named.get("Item") or {}
    if table is None or any(name not in key for name in table.table_key_attrs):
        return None
    hash_key = DynamoType(key[table.hash_key_attr])
    range_key = DynamoType(key[table.range_key_attr]) if table.range_key_attr else None
    return _Kept(table, hash_key, range_key, copy.deepcopy(table.get_item(hash_key, range_key)))


def _whole_copy(table: Table, memo: dict[int, Any]) -> Table:
    """As `copy.deepcopy` copies an object of any class without a way of its own."""
    made: Any = table.__class__.__new__(table.__class__)
    memo[id(table)] = made
    made.__dict__.update({name: copy.deepcopy(value, memo) for name, value in vars(table).items()})
    return cast(Table, made)
