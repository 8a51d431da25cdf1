"""What the placement function answers its direct callers, as plain JSON values."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from swarmkeeper.domain.model import NANO_CPUS_PER_CPU, Container, ContainerState, Node, Resources
from swarmkeeper.domain.placement.scheduler import Decision
from swarmkeeper.errors import Conflict, InvalidInput, SwarmkeeperError, Unavailable

Answer = dict[str, Any]


def created(container: Container) -> Answer:
    """201 when it runs, 202 while it waits for a node, an image or an engine."""
    status = HTTPStatus.CREATED if container.state is ContainerState.RUNNING else HTTPStatus.ACCEPTED
    return {"status": int(status), "container": container_json(container)}


def removed(name: str, container: Container | None) -> Answer:
    """200 also when it was removed before; 404 for a name that was never there can't be told from that."""
    if container is None:
        return failed(HTTPStatus.NOT_FOUND, "name", f"there is no container {name}")
    return {"status": int(HTTPStatus.OK), "container": container_json(container)}


def listed(containers: tuple[Container, ...], nodes: tuple[Node, ...]) -> Answer:
    return {
        "status": int(HTTPStatus.OK),
        "containers": [container_json(each) for each in containers],
        "nodes": [node_json(each) for each in nodes],
    }


def explained(decision: Decision) -> Answer:
    return {
        "status": int(HTTPStatus.OK),
        "decision": {
            "chosen": None if decision.chosen is None else decision.chosen.id,
            "candidates": [{"node": each.node.id, "weight": each.weight} for each in decision.candidates],
            "rejections": {reason.value: count for reason, count in decision.rejections},
            "refused": {node: {"reason": each.reason.value, "detail": each.detail} for node, each in decision.refused},
            "text": decision.explain(),
        },
    }


def refused(error: SwarmkeeperError) -> Answer:
    """The caller's error, named: 400 with the field, 409 for a lost race, 503 for what will pass."""
    if isinstance(error, InvalidInput):
        return failed(HTTPStatus.BAD_REQUEST, error.field, error.problem)
    if isinstance(error, Conflict):
        return failed(HTTPStatus.CONFLICT, "Name", str(error))
    if isinstance(error, Unavailable):
        return failed(HTTPStatus.SERVICE_UNAVAILABLE, "", str(error))
    raise error


def failed(status: HTTPStatus, field: str, message: str) -> Answer:
    return {"status": int(status), "error": {"field": field, "message": message}}


def container_json(container: Container) -> Answer:
    return {
        "name": container.name,
        "image": container.request.image,
        "state": container.state.value,
        "node": container.node,
        "reason": container.reason,
        "requested_at": container.requested_at,
        "movable": container.request.movable,
        "reservation": _resources(container.request.reservation),
    }


def node_json(node: Node) -> Answer:
    return {
        "id": node.id,
        "pool": node.pool,
        "role": node.role.value,
        "state": node.state.value,
        "state_since": node.state_since,
        "address": node.address,
        "capacity": _resources(node.capacity),
        "reserved": _resources(node.reserved),
        "containers": node.containers,
        "slots": node.slots,
        "reason": node.reason,
    }


def _resources(amount: Resources) -> dict[str, float | int]:
    return {"cpus": amount.nano_cpus / NANO_CPUS_PER_CPU, "memory_bytes": amount.memory_bytes}
