"""Nodes as items and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.items import KIND_NODE, Item, integer_in, node_key, number, optional_number, text
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Hook, Node, NodeId, PoolName, Resources, Role, SentCommand

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def node_item(node: Node) -> Item:
    """The whole record; index keys unless it is GONE, so that tombstones drop out of the index."""
    item: Item = {
        **node_key(node.id),
        "pool": text(node.pool),
        "role": text(node.role),
        "state": text(node.state),
        "created_at": number(node.created_at),
        "state_since": number(node.state_since),
        "epoch": number(node.epoch),
        "revision": number(node.revision),
        "address": text(node.address),
        "swarm_id": text(node.swarm_id),
        "capacity_nano_cpus": number(node.capacity.nano_cpus),
        "capacity_memory_bytes": number(node.capacity.memory_bytes),
        "reserved_nano_cpus": number(node.reserved.nano_cpus),
        "reserved_memory_bytes": number(node.reserved.memory_bytes),
        "containers": number(node.containers),
        "slots": optional_number(node.slots),
        "labels": {"M": {label: text(value) for label, value in node.labels.items()}},
        "health": number(node.health),
        "reason": text(node.reason),
        "hook": _hook_value(node.hook),
        "command": _command_value(node.command),
    }
    if node.state is not NodeState.GONE:
        item |= {"kind": text(KIND_NODE), "order": text(node.id)}
    return item


def node_from(item: Mapping[str, AttributeValueTypeDef]) -> Node:
    return Node(
        id=NodeId(item["pk"]["S"].removeprefix("NODE#")),
        pool=PoolName(item["pool"]["S"]),
        role=Role(item["role"]["S"]),
        state=NodeState(item["state"]["S"]),
        created_at=float(item["created_at"]["N"]),
        state_since=float(item["state_since"]["N"]),
        epoch=integer_in(item, "epoch"),
        revision=integer_in(item, "revision"),
        address=item["address"]["S"],
        swarm_id=item["swarm_id"]["S"],
        capacity=Resources(integer_in(item, "capacity_nano_cpus"), integer_in(item, "capacity_memory_bytes")),
        reserved=Resources(integer_in(item, "reserved_nano_cpus"), integer_in(item, "reserved_memory_bytes")),
        containers=integer_in(item, "containers"),
        slots=integer_in(item, "slots") if "N" in item["slots"] else None,
        labels={label: value["S"] for label, value in item["labels"]["M"].items()},
        health=integer_in(item, "health"),
        reason=item["reason"]["S"],
        hook=_hook_in(item["hook"]),
        command=_command_in(item["command"]),
    )


def _hook_value(hook: Hook | None) -> AttributeValueTypeDef:
    if hook is None:
        return {"NULL": True}
    return {
        "M": {
            "group": text(hook.group),
            "name": text(hook.name),
            "token": text(hook.token),
            "deadline": number(hook.deadline),
        }
    }


def _hook_in(value: AttributeValueTypeDef) -> Hook | None:
    if "M" not in value:
        return None
    held = value["M"]
    return Hook(held["group"]["S"], held["name"]["S"], held["token"]["S"], float(held["deadline"]["N"]))


def _command_value(command: SentCommand | None) -> AttributeValueTypeDef:
    if command is None:
        return {"NULL": True}
    return {
        "M": {
            "id": text(command.id),
            "kind": text(command.kind),
            "sent_at": number(command.sent_at),
            "attempt": number(command.attempt),
        }
    }


def _command_in(value: AttributeValueTypeDef) -> SentCommand | None:
    if "M" not in value:
        return None
    held = value["M"]
    return SentCommand(held["id"]["S"], held["kind"]["S"], float(held["sent_at"]["N"]), int(held["attempt"]["N"]))
