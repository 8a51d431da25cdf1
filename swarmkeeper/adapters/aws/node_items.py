"""Nodes as items and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.items import (
    KIND_NODE,
    NODE,
    RESERVED_GENERIC,
    Item,
    integer_in,
    node_key,
    number,
    optional_number,
    text,
)
from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import Hook, Leaving, Node, NodeId, Notice, PoolName, Resources, Role, SentCommand
from swarmkeeper.ports import NodeChange

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
        "capacity_generic": {"M": {kind: number(amount) for kind, amount in node.capacity.generic}},
        "reserved_nano_cpus": number(node.reserved.nano_cpus),
        "reserved_memory_bytes": number(node.reserved.memory_bytes),
        "containers": number(node.containers),
        "slots": optional_number(node.slots),
        "labels": {"M": {label: text(value) for label, value in node.labels.items()}},
        "health": number(node.health),
        "reason": text(node.reason),
        "hook": _hook_value(node.hook),
        "command": _command_value(node.command),
        "image_id": text(node.image_id),
        "protected": {"BOOL": node.protected},
        "leaving": _leaving_value(node.leaving),
        "suspected_at": optional_number(node.suspected_at),
    }
    item |= {f"{RESERVED_GENERIC}{kind}": number(amount) for kind, amount in node.reserved.generic}
    if node.state is not NodeState.GONE:
        item |= {"kind": text(KIND_NODE), "order": text(node.id)}
    return item


def node_from(item: Mapping[str, AttributeValueTypeDef]) -> Node:
    return Node(
        id=NodeId(item["pk"]["S"].removeprefix(NODE)),
        pool=PoolName(item["pool"]["S"]),
        role=Role(item["role"]["S"]),
        state=NodeState(item["state"]["S"]),
        created_at=float(item["created_at"]["N"]),
        state_since=float(item["state_since"]["N"]),
        epoch=integer_in(item, "epoch"),
        revision=integer_in(item, "revision"),
        address=item["address"]["S"],
        swarm_id=item["swarm_id"]["S"],
        capacity=_capacity_in(item),
        reserved=_reserved_in(item),
        containers=integer_in(item, "containers"),
        slots=integer_in(item, "slots") if "N" in item["slots"] else None,
        labels={label: value["S"] for label, value in item["labels"]["M"].items()},
        health=integer_in(item, "health"),
        reason=item["reason"]["S"],
        hook=_hook_in(item["hook"]),
        command=_command_in(item["command"]),
        # Nodes that joined under an older version don't have these.
        image_id=item["image_id"]["S"] if "image_id" in item else "",
        protected="protected" in item and item["protected"]["BOOL"],
        leaving=_leaving_in(item["leaving"]) if "leaving" in item else None,
        suspected_at=_number_in(item, "suspected_at"),
    )


def change_from(item: Mapping[str, AttributeValueTypeDef]) -> NodeChange:
    """What the index of changes projects of a node; `CHANGE_ATTRIBUTES` in the template says the same."""
    reserved = Resources(integer_in(item, "reserved_nano_cpus"), integer_in(item, "reserved_memory_bytes"))
    return NodeChange(
        id=NodeId(item["pk"]["S"].removeprefix(NODE)),
        state=NodeState(item["state"]["S"]),
        epoch=integer_in(item, "epoch"),
        revision=integer_in(item, "revision"),
        reserved=reserved,
        containers=integer_in(item, "containers"),
    )


def _capacity_in(item: Mapping[str, AttributeValueTypeDef]) -> Resources:
    generic = {kind: int(amount["N"]) for kind, amount in item["capacity_generic"]["M"].items()}
    return Resources.of(integer_in(item, "capacity_nano_cpus"), integer_in(item, "capacity_memory_bytes"), generic)


def _reserved_in(item: Mapping[str, AttributeValueTypeDef]) -> Resources:
    generic = {
        name.removeprefix(RESERVED_GENERIC): integer_in(item, name)
        for name in item
        if name.startswith(RESERVED_GENERIC)
    }
    return Resources.of(integer_in(item, "reserved_nano_cpus"), integer_in(item, "reserved_memory_bytes"), generic)


def _number_in(item: Mapping[str, AttributeValueTypeDef], name: str) -> float | None:
    """None where it is null or missing."""
    return float(item[name]["N"]) if name in item and "N" in item[name] else None


def _leaving_value(leaving: Leaving | None) -> AttributeValueTypeDef:
    if leaving is None:
        return {"NULL": True}
    return {
        "M": {
            "cause": text(leaving.cause),
            "since": number(leaving.since),
            "by": optional_number(leaving.by),
            "note": text(leaving.note),
            "notices": {"M": {each.event: optional_number(each.claimed_until) for each in leaving.notices}},
        }
    }


def _leaving_in(value: AttributeValueTypeDef) -> Leaving | None:
    if "M" not in value:
        return None
    held = value["M"]
    told = held["notices"]["M"] if "notices" in held else {}
    return Leaving(
        LeaveCause(held["cause"]["S"]),
        since=float(held["since"]["N"]),
        by=_number_in(held, "by"),
        note=held["note"]["S"],
        notices=tuple(Notice(event, _number_in(told, event)) for event in sorted(told)),
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
            "subject": text(command.subject),
        }
    }


def _command_in(value: AttributeValueTypeDef) -> SentCommand | None:
    if "M" not in value:
        return None
    held = value["M"]
    return SentCommand(
        held["id"]["S"],
        held["kind"]["S"],
        float(held["sent_at"]["N"]),
        int(held["attempt"]["N"]),
        held["subject"]["S"] if "subject" in held else "",
    )
