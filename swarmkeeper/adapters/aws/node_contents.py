"""What nodes hold, and which nodes have changed: what a warm function's view is kept by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from swarmkeeper.adapters.aws.dynamo import DynamoTable, TransactionRefused
from swarmkeeper.adapters.aws.items import (
    CHANGE_SHARDS,
    HOLDS,
    IMAGES,
    META,
    NODE,
    Item,
    change_keys,
    images_key,
    milliseconds,
    node_key,
    text,
)
from swarmkeeper.adapters.aws.node_items import change_from, node_from
from swarmkeeper.adapters.aws.occupant_json import images_from, images_text, occupant_from
from swarmkeeper.adapters.aws.writes import Terms, add_to, put
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Image, NodeId
from swarmkeeper.ports import NodeChange, NodeContent

READERS = 8
"""Requests at once; botocore keeps ten connections."""


class NodeContents:
    """Contents and changes; the rules are in `ports.StateStore`."""

    table: DynamoTable
    now: Callable[[], float]

    def node_changes(self, since: float) -> tuple[NodeChange, ...]:
        after = milliseconds(since)
        shards = [str(shard) for shard in range(CHANGE_SHARDS)]
        with ThreadPoolExecutor(READERS) as readers:
            pages = readers.map(lambda shard: self.table.changed_items(shard, after), shards)
            return tuple(change_from(item) for page in pages for item in page)

    def contents(self, node_ids: Sequence[NodeId]) -> tuple[NodeContent, ...]:
        with ThreadPoolExecutor(READERS) as readers:
            partitions = readers.map(lambda node_id: self.table.partition(f"{NODE}{node_id}"), node_ids)
            return tuple(content for items in partitions if (content := _content(items)) is not None)

    def record_images(self, node_id: NodeId, images: Sequence[Image]) -> None:
        known = text(images_text(images))
        stored = self.table.get(images_key(node_id))
        if stored is not None and stored["images"] == known:
            return
        moved = {"changed_at": change_keys(node_id, self.now())["changed_at"]}
        alive = Terms().differ("state", text(NodeState.GONE)).equal("pk", node_key(node_id)["pk"])
        try:
            self.table.transact(
                [
                    put({**images_key(node_id), "images": known}, Terms()),
                    add_to(node_key(node_id), {"revision": 1}, alive, attributes=moved),
                ]
            )
        except TransactionRefused:  # there is no such node any more, so nobody asks
            return


def _content(items: Iterable[Item]) -> NodeContent | None:
    """A node's partition; None without its record."""
    partition = {item["sk"]["S"]: item for item in items}
    if META not in partition:
        return None
    occupants = tuple(
        occupant_from(sk.removeprefix(HOLDS), item["occupant"]["S"])
        for sk, item in partition.items()
        if sk.startswith(HOLDS)
    )
    images = images_from(partition[IMAGES]["images"]["S"]) if IMAGES in partition else ()
    return NodeContent(node_from(partition[META]), occupants, images)
