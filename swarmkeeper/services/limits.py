"""What a reservation's condition allows."""

from __future__ import annotations

from swarmkeeper.domain.model import Node, Request
from swarmkeeper.ports import Limit


def limit_for(request: Request, node: Node) -> Limit:
    """The stored totals at which `request` still fits on `node` exactly (I1)."""
    slots = None if node.slots is None else node.slots - 1
    return Limit(reserved=node.capacity - request.reservation, containers=slots)
