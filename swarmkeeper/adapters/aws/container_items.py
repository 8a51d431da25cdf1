"""Containers as items and back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.items import KIND_PENDING, Item, container_key, integer_in, number, text
from swarmkeeper.adapters.aws.request_json import request_from, request_text
from swarmkeeper.domain.model import Container, ContainerState, NodeId, Request

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def digest(request: Request) -> str:
    """A request's fingerprint: equal exactly for equal requests."""
    return hashlib.sha256(request_text(request).encode()).hexdigest()


def container_item(container: Container) -> Item:
    """The whole record; index keys only while it is pending."""
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
        "version": number(container.version),
    }
    if container.node is not None:
        item["node"] = text(container.node)
    if container.moving_to is not None:
        item["moving_to"] = text(container.moving_to)
    if container.state is ContainerState.PENDING:
        order = f"{container.requested_at:020.6f}#{request.name}"  # zero-padded, so that text sorts as time
        item |= {"kind": text(KIND_PENDING), "order": text(order)}
    return item


def container_from(item: Mapping[str, AttributeValueTypeDef]) -> Container:
    return Container(
        request=request_from(item["request"]["S"]),
        state=ContainerState(item["state"]["S"]),
        requested_at=float(item["requested_at"]["N"]),
        node=NodeId(item["node"]["S"]) if "node" in item else None,
        reason=item["reason"]["S"],
        engine_id=item["engine_id"]["S"],
        moving_to=NodeId(item["moving_to"]["S"]) if "moving_to" in item else None,
        version=integer_in(item, "version"),
    )
