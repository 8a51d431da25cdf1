"""What a reservation's condition allows."""

from __future__ import annotations

from swarmkeeper.domain.model import Node, Request
from swarmkeeper.domain.placement.wish import HOST_MODE, Wish
from swarmkeeper.ports import Limit


def limit_for(request: Request, node: Node, *, revision: int | None = None) -> Limit:
    """The stored totals at which `request` still fits on `node` exactly (I1).

    `revision`: what the node holds must be as it was seen at that revision.
    """
    slots = None if node.slots is None else node.slots - 1
    return Limit(reserved=node.capacity - request.reservation, containers=slots, revision=revision)


def asks_of_content(wish: Wish) -> bool:
    """Whether the decision depends on what a node holds besides its totals.

    A host port needs no condition of its own: whoever took it moved the node's revision.
    """
    if wish.affinities or wish.dependencies:
        return True
    return bool(wish.exposed) if wish.network_mode == HOST_MODE else bool(wish.ports)
