"""The table's items: their keys and the forms of their attributes.

    NODE#<id>         META          a node; kind NODE, order <id> while it is not GONE
    NODE#<id>         HOLDS#<name>  one reservation on the node, so that they are found by a consistent query
    CONTAINER#<name>  META          a container; kind PENDING, order <requested_at>#<name> while it is pending
    FACT#<name>       META          a fact of the fleet
    SCALING#<pool>    META          the scaler's memory of a pool

`kind` and `order` are the keys of the index `by_kind`. Reservations change neither, so they don't write the index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from swarmkeeper.domain.model import ContainerName, NodeId, PoolName

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item: TypeAlias = "dict[str, AttributeValueTypeDef]"

META = "META"
HOLDS = "HOLDS#"
CONTAINER = "CONTAINER#"
KIND_NODE = "NODE"
KIND_PENDING = "PENDING"
TOTALS = ("reserved_nano_cpus", "reserved_memory_bytes", "containers", "revision")
"""A node's attributes that only reservations change."""


def key(pk: str, sk: str = META) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def node_key(node_id: NodeId) -> Item:
    return key(f"NODE#{node_id}")


def hold_key(node_id: NodeId, name: ContainerName) -> Item:
    return key(f"NODE#{node_id}", f"{HOLDS}{name}")


def container_key(name: ContainerName) -> Item:
    return key(f"{CONTAINER}{name}")


def fact_key(name: str) -> Item:
    return key(f"FACT#{name}")


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
