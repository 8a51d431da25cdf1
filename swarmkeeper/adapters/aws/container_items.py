"""Containers as items and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.items import CONTAINER, KIND_PENDING, Item, container_key, integer_in, number, text
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, NodeId, Request, Resources

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def digest(request: Request) -> str:
    """A request's fingerprint: equal exactly for equal requests."""
    return hashlib.sha256(json.dumps(asdict(request), sort_keys=True).encode()).hexdigest()


def container_item(container: Container) -> Item:
    """The whole record; index keys only while it is pending."""
    request = container.request
    item: Item = {
        **container_key(request.name),
        "image": text(request.image),
        "nano_cpus": number(request.reservation.nano_cpus),
        "memory_bytes": number(request.reservation.memory_bytes),
        "constraints": {"L": [text(constraint) for constraint in request.constraints]},
        "network": text(request.network),
        "tenant": text(request.tenant),
        "movable": {"BOOL": request.movable},
        "body": text(request.body),
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
    request = Request(
        name=ContainerName(item["pk"]["S"].removeprefix(CONTAINER)),
        image=item["image"]["S"],
        reservation=Resources(integer_in(item, "nano_cpus"), integer_in(item, "memory_bytes")),
        constraints=tuple(value["S"] for value in item["constraints"]["L"]),
        network=item["network"]["S"],
        tenant=item["tenant"]["S"],
        movable=item["movable"]["BOOL"],
        body=item["body"]["S"],
    )
    return Container(
        request=request,
        state=ContainerState(item["state"]["S"]),
        requested_at=float(item["requested_at"]["N"]),
        node=NodeId(item["node"]["S"]) if "node" in item else None,
        reason=item["reason"]["S"],
        engine_id=item["engine_id"]["S"],
        moving_to=NodeId(item["moving_to"]["S"]) if "moving_to" in item else None,
        version=integer_in(item, "version"),
    )
