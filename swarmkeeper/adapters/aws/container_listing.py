"""Reading containers: one, those of a node, those that wait, those between two states, all."""

from __future__ import annotations

from collections.abc import Sequence

from swarmkeeper.adapters.aws.container_items import container_from, in_order, is_unsettled, unsettled_kind
from swarmkeeper.adapters.aws.container_terms import holders
from swarmkeeper.adapters.aws.dynamo import DynamoTable
from swarmkeeper.adapters.aws.items import (
    CONTAINER,
    HOLDS,
    KIND_PENDING,
    NODE,
    UNSETTLED_SHARDS,
    Item,
    container_key,
)
from swarmkeeper.adapters.aws.scan_pages import scan_page
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, NodeId


class ContainerListing:
    """Reads; the rules are in `ports.StateStore`."""

    table: DynamoTable

    def container(self, name: ContainerName) -> Container | None:
        item = self.table.get(container_key(name))
        return None if item is None else container_from(item)

    def containers_on(self, node_id: NodeId) -> tuple[Container, ...]:
        names = [sk.removeprefix(HOLDS) for sk in self.table.sort_keys(f"{NODE}{node_id}", HOLDS)]
        held = _read(self.table, [container_key(ContainerName(name)) for name in names])
        # A hold may have been given back between the two reads.
        return tuple(sorted((one for one in held if node_id in holders(one)), key=lambda one: one.name))

    def pending(self) -> tuple[Container, ...]:
        found = _read(self.table, self.table.keys_of_kind(KIND_PENDING))
        waiting = [one for one in found if one.state is ContainerState.PENDING]
        return tuple(sorted(waiting, key=lambda one: (one.requested_at, one.name)))

    def unsettled(self, *, now: float) -> tuple[Container, ...]:
        up_to = f"{in_order(now)}~"
        kinds = [unsettled_kind(shard) for shard in range(UNSETTLED_SHARDS)]
        found = _read(self.table, [key for kind in kinds for key in self.table.keys_of_kind(kind, up_to=up_to)])
        overdue = [one for one in found if is_unsettled(one) and one.lease_until <= now]
        return tuple(sorted(overdue, key=lambda one: one.name))

    def containers(self) -> tuple[Container, ...]:
        found = [container_from(item) for item in self.table.scan(CONTAINER)]
        return tuple(sorted(found, key=lambda one: one.name))

    def containers_page(self, *, limit: int, after: str = "") -> tuple[tuple[Container, ...], str]:
        items, follows = scan_page(self.table, CONTAINER, limit=limit, after=after)
        return tuple(container_from(item) for item in items), follows


def _read(table: DynamoTable, keys: Sequence[Item]) -> list[Container]:
    return [container_from(item) for item in table.get_all(keys)]
