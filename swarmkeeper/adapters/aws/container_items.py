"""Containers as items and back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.items import (
    KIND_PENDING,
    UNSETTLED_SHARDS,
    Item,
    container_key,
    integer_in,
    node_in,
    number,
    optional_number,
    shard_of,
    text,
)
from swarmkeeper.adapters.request_json import request_from, request_text
from swarmkeeper.domain.model import Container, ContainerState, NodeId, Request, Save, Snapshot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def digest(request: Request) -> str:
    """A request's fingerprint: equal exactly for equal requests."""
    return hashlib.sha256(request_text(request).encode()).hexdigest()


def container_item(container: Container) -> Item:
    """The whole record; index keys only while it is pending or somebody must go on with it."""
    request = container.request
    item: Item = {
        **container_key(request.name),
        "tenant": text(request.tenant),
        "request": text(request_text(request)),
        "request_digest": text(digest(request)),
        "state": text(container.state),
        "requested_at": number(container.requested_at),
        "reason": text(container.reason),
        "engine_id": text(container.engine_id),
        "started_at": optional_number(container.started_at),
        "lease_until": number(container.lease_until),
        "counted": {"BOOL": container.counted},
        "refusals": number(container.refusals),
        "rests_until": number(container.rests_until),
        "version": number(container.version),
    }
    if container.node is not None:
        item["node"] = text(container.node)
    if container.moving_to is not None:
        item["moving_to"] = text(container.moving_to)
    if container.snapshot is not None:
        item["snapshot"] = {
            "M": {"image": text(container.snapshot.image), "taken_at": number(container.snapshot.taken_at)}
        }
    if container.save is not None:
        item["save"] = _save_value(container.save)
    if container.state is ContainerState.PENDING:
        item |= {"kind": text(KIND_PENDING), "order": text(f"{in_order(container.requested_at)}#{request.name}")}
    elif is_unsettled(container):
        shard = shard_of(request.name, UNSETTLED_SHARDS)
        order = f"{in_order(container.lease_until)}#{request.name}"
        item |= {"kind": text(unsettled_kind(shard)), "order": text(order)}
    return item


def unsettled_kind(shard: int) -> str:
    return f"UNSETTLED#{shard}"


def in_order(time: float) -> str:
    """A time as text that sorts as the time does."""
    return f"{time:020.6f}"


def is_unsettled(container: Container) -> bool:
    """Whether it stands between two states: somebody must go on with it."""
    between = container.state in (ContainerState.RESERVED, ContainerState.REMOVING)
    return between or container.moving_to is not None


def container_from(item: Mapping[str, AttributeValueTypeDef]) -> Container:
    return Container(
        request=request_from(item["request"]["S"]),
        state=ContainerState(item["state"]["S"]),
        requested_at=float(item["requested_at"]["N"]),
        node=node_in(item),
        reason=item["reason"]["S"],
        engine_id=item["engine_id"]["S"],
        moving_to=NodeId(item["moving_to"]["S"]) if "moving_to" in item else None,
        started_at=float(item["started_at"]["N"]) if "N" in item["started_at"] else None,
        lease_until=float(item["lease_until"]["N"]),
        counted=item["counted"]["BOOL"],
        refusals=integer_in(item, "refusals"),
        rests_until=float(item["rests_until"]["N"]),
        snapshot=_snapshot_in(item["snapshot"]["M"]) if "snapshot" in item else None,
        save=_save_in(item["save"]["M"]) if "save" in item else None,
        version=integer_in(item, "version"),
    )


def _snapshot_in(held: Mapping[str, AttributeValueTypeDef]) -> Snapshot:
    return Snapshot(held["image"]["S"], float(held["taken_at"]["N"]))


def _save_value(save: Save) -> AttributeValueTypeDef:
    return {
        "M": {
            "move_id": text(save.move_id),
            "command_id": text(save.command_id),
            "stopped_at": optional_number(save.stopped_at),
            "until": number(save.until),
            "is_done": {"BOOL": save.is_done},
            "void": text(save.void),
        }
    }


def _save_in(held: Mapping[str, AttributeValueTypeDef]) -> Save:
    return Save(
        move_id=held["move_id"]["S"],
        command_id=held["command_id"]["S"],
        stopped_at=float(held["stopped_at"]["N"]) if "N" in held["stopped_at"] else None,
        until=float(held["until"]["N"]),
        is_done=held["is_done"]["BOOL"],
        void=held["void"]["S"],
    )
