"""What a write expects of a container's stored record, and what its refusal says."""

from __future__ import annotations

from swarmkeeper.adapters.aws.container_items import container_from, digest
from swarmkeeper.adapters.aws.dynamo import TransactionRefused
from swarmkeeper.adapters.aws.items import Item, number, text
from swarmkeeper.adapters.aws.node_records import node_or_none
from swarmkeeper.adapters.aws.writes import Terms
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId, Request
from swarmkeeper.errors import Conflict, Contention, NameTaken, NodeChanged

HOLDING = (ContainerState.RESERVED, ContainerState.RUNNING)
OF_CONTAINER, OF_NODE, OF_HOLD, OF_TENANT = range(4)
"""Positions in every transaction: the container's write comes first, then nodes' and holds' in pairs.

A tenant's write stands after those of the one node of a placement.
"""


def as_given(container: Container) -> Terms:
    """The stored record is the one the caller read.

    Versions start again when a name is used again, so state, node, time and request tell its lives apart.
    """
    terms = Terms().equal("version", number(container.version)).equal("state", text(container.state))
    terms.equal("requested_at", number(container.requested_at))
    terms.equal("request_digest", text(digest(container.request)))
    return terms.absent("node") if container.node is None else terms.equal("node", text(container.node))


def pending_like(request: Request, item: Item | None) -> Container:
    """The stored container if it waits for exactly this request. Raises NameTaken."""
    if item is None:
        raise Contention(f"{request.name} was taken and freed at once")
    container = container_from(item)
    if container.state is not ContainerState.PENDING or container.request != request:
        raise NameTaken(f"{request.name} is {container.state}")
    return container


def raise_node_changed(node: Node, refused: TransactionRefused) -> None:
    """Raises NodeChanged where the node's condition failed."""
    if OF_NODE in refused.actual:
        actual = node_or_none(refused.actual[OF_NODE])
        raise NodeChanged(f"{node.id} has changed or is full", actual) from refused


def raise_conflict(container: Container, refused: TransactionRefused) -> None:
    """Raises Conflict where the container's condition failed."""
    if OF_CONTAINER in refused.actual:
        raise no_longer(container) from refused


def no_longer(container: Container) -> Conflict:
    return Conflict(f"{container.name} is no longer as it was")


def require(container: Container, *states: ContainerState) -> None:
    """Raises Conflict unless it is in one of the states."""
    if container.state not in states:
        raise Conflict(f"{container.name} is {container.state}")


def move_of(container: Container) -> tuple[NodeId, NodeId]:
    """Where it moves from and to. Raises Conflict."""
    if container.node is None or container.moving_to is None:
        raise Conflict(f"{container.name} is not being moved")
    return container.node, container.moving_to


def holders(container: Container) -> tuple[NodeId, ...]:
    """The nodes on which the container holds a reservation."""
    return tuple(node_id for node_id in (container.node, container.moving_to) if node_id is not None)
