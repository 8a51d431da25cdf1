"""The table's items: their keys and the forms of their attributes.

    NODE#<id>         META          a node; kind NODE, order <id> while it is not GONE; shard, changed_at always
    NODE#<id>         HOLDS#<name>  one reservation on the node, with what others' placement asks of its container
    NODE#<id>         IMAGES        the images that the node holds
    CONTAINER#<name>  META          a container; kind PENDING, order <requested_at>#<name> while it is pending;
                                    kind UNSETTLED#<shard>, order <lease_until>#<name> while between two states
    TENANT#<name>     META          what counts towards the tenant's quota; only tenants with one have it
    PULLS#<node>      <image>       a pull under way on the node, or one that failed a short while ago
    WATCH#<name>      META          when to look at a container of limited life; kind WATCH, order <time>#<name>
    FACT#<name>       META          a fact of the fleet
    CLAIM#<token>     META          an idempotency token and what it was first given with; expires
    SCALING#<pool>    META          the scaler's memory of a pool

`kind` and `order` are the keys of the index `by_kind`. Reservations change no node's, so no key of it is hot.
`shard` and `changed_at` (milliseconds, by the writer's clock) are the keys of the index `by_change`, through which
warm functions learn what others wrote. One partition of a node has all that placement asks of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from swarmkeeper.domain.model import ContainerName, NodeId, PoolName

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item: TypeAlias = "dict[str, AttributeValueTypeDef]"

META = "META"
HOLDS = "HOLDS#"
IMAGES = "IMAGES"
NODE = "NODE#"
CONTAINER = "CONTAINER#"
PULLS = "PULLS#"
WATCH = "WATCH#"
KIND_NODE = "NODE"
KIND_PENDING = "PENDING"
KIND_WATCH = "WATCH"
UNSETTLED_SHARDS = 16
"""Every placement passes through this part of the index, and one key of it takes 1,000 writes a second."""
CHANGE_SHARDS = 8
"""Every placement moves its node's entry in the index of changes, and one key of it takes 1,000 writes a second."""
TOTALS = ("reserved_nano_cpus", "reserved_memory_bytes", "containers", "revision")
CHANGE_ATTRIBUTES = ("state", "epoch", "revision", "reserved_nano_cpus", "reserved_memory_bytes", "containers")
"""What the index of changes shows of a node besides keys; an index can't follow attributes of any name."""
RESERVED_GENERIC = "reserved_generic#"
"""A node's attributes that only reservations change; of generic resources there is one attribute a kind."""


def key(pk: str, sk: str = META) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def node_key(node_id: NodeId) -> Item:
    return key(f"{NODE}{node_id}")


def hold_key(node_id: NodeId, name: ContainerName) -> Item:
    return key(f"{NODE}{node_id}", f"{HOLDS}{name}")


def images_key(node_id: NodeId) -> Item:
    return key(f"{NODE}{node_id}", IMAGES)


def tenant_key(tenant: str) -> Item:
    return key(f"TENANT#{tenant}")


def change_keys(node_id: NodeId, now: float) -> Item:
    """The node's keys in the index of changes."""
    return {"shard": text(str(shard_of(node_id, CHANGE_SHARDS))), "changed_at": number(milliseconds(now))}


def shard_of(name: str, shards: int) -> int:
    """The same for the same name, everywhere and for ever."""
    return zlib.crc32(name.encode()) % shards


def milliseconds(time: float) -> int:
    return int(time * 1000)


def is_total(attribute: str) -> bool:
    """Whether only reservations change this attribute of a node."""
    return attribute in TOTALS or attribute.startswith(RESERVED_GENERIC)


def container_key(name: ContainerName) -> Item:
    return key(f"{CONTAINER}{name}")


def node_in(container: Mapping[str, AttributeValueTypeDef]) -> NodeId | None:
    """The node that a container's item names."""
    return NodeId(container["node"]["S"]) if "node" in container else None


def pull_key(node_id: NodeId, image: str) -> Item:
    return key(f"{PULLS}{node_id}", image)


def watch_key(name: ContainerName) -> Item:
    return key(f"{WATCH}{name}")


def fact_key(name: str) -> Item:
    return key(f"FACT#{name}")


def claim_key(token: str) -> Item:
    return key(f"CLAIM#{token}")


def scaling_key(pool: PoolName) -> Item:
    return key(f"SCALING#{pool}")


def text(value: str) -> AttributeValueTypeDef:
    return {"S": value}


def number(value: float) -> AttributeValueTypeDef:
    """Integers exactly; other numbers in the shortest form that reads back the same."""
    return {"N": repr(value)}


def optional_number(value: float | None) -> AttributeValueTypeDef:
    return {"NULL": True} if value is None else number(value)


def integer_in(item: Mapping[str, AttributeValueTypeDef], name: str) -> int:
    return int(item[name]["N"])
