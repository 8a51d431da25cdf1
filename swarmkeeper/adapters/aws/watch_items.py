"""Watches over containers of limited life, as items found by time."""

from __future__ import annotations

from swarmkeeper.adapters.aws.container_items import in_order
from swarmkeeper.adapters.aws.dynamo import ConditionFailed, DynamoTable
from swarmkeeper.adapters.aws.items import (
    KIND_WATCH,
    WATCH,
    Item,
    integer_in,
    number,
    optional_number,
    text,
    watch_key,
)
from swarmkeeper.adapters.aws.writes import Terms, delete, put
from swarmkeeper.domain.model import ContainerName
from swarmkeeper.ports import Watch


class DynamoWatches:
    """Watches in the fleet's table."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def due_watches(self, *, now: float, most: int) -> tuple[Watch, ...]:
        keys = self._table.keys_of_kind(KIND_WATCH, up_to=f"{in_order(now)}~")[:most]
        found = [_watch_from(item) for item in self._table.get_all(keys)]
        return tuple(sorted((each for each in found if each.due <= now), key=lambda each: (each.due, each.name)))

    def save_watch(self, watch: Watch) -> None:
        self._table.write(put(_watch_item(watch), Terms()))

    def drop_watch(self, watch: Watch) -> None:
        as_given = Terms().equal("due", number(watch.due)).equal("changed_at", number(watch.changed_at))
        try:
            self._table.write(delete(watch_key(watch.name), as_given))
        except ConditionFailed:
            return


def _watch_item(watch: Watch) -> Item:
    return {
        **watch_key(watch.name),
        "kind": text(KIND_WATCH),
        "order": text(f"{in_order(watch.due)}#{watch.name}"),
        "due": number(watch.due),
        "changed_at": number(watch.changed_at),
        "sent_bytes": optional_number(watch.sent_bytes),
    }


def _watch_from(item: Item) -> Watch:
    return Watch(
        name=ContainerName(item["pk"]["S"].removeprefix(WATCH)),
        due=float(item["due"]["N"]),
        changed_at=float(item["changed_at"]["N"]),
        sent_bytes=integer_in(item, "sent_bytes") if "N" in item["sent_bytes"] else None,
    )
