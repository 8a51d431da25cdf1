"""What of a node's containers can be moved, and so whether the node can be emptied."""

from __future__ import annotations

from collections.abc import Sequence

from swarmkeeper.domain.model import Container, ContainerState, Node, Request


def is_empty(node: Node, containers: Sequence[Container]) -> bool:
    """Whether neither the node's totals nor the listing knows a container on it."""
    return node.containers == 0 and not containers


def is_emptiable(node: Node, containers: Sequence[Container], now: float) -> bool:
    """Whether every container of the node can be moved now, or is being removed.

    Unknown containers (the listing lags behind the totals) count as unmovable; so do those that are just
    being created or moved, and those whose layer could not be saved a short while ago.
    """
    if not containers or len(containers) != node.containers:
        return False
    return all(
        each.state is ContainerState.REMOVING or (is_movable(each) and not _rests(each, now)) for each in containers
    )


def is_movable(container: Container) -> bool:
    """Whether the container runs, may be moved, and no move of it has begun."""
    return container.request.movable and container.state is ContainerState.RUNNING and container.moving_to is None


def _rests(container: Container, now: float) -> bool:
    return container.save is not None and container.save.rests(now)


def is_settled(node: Node, containers: Sequence[Container]) -> bool:
    """Whether all of the node's containers are known, and none of them is just being created or moved."""
    return len(containers) == node.containers and all(map(_stands, containers))


def all_requests(containers: Sequence[Container]) -> tuple[Request, ...]:
    """What needs room elsewhere when these containers' node ends, whatever of them can be moved."""
    return tuple(each.request for each in containers if each.state is not ContainerState.REMOVING)


def _stands(container: Container) -> bool:
    is_going = container.state is ContainerState.REMOVING
    return is_going or (container.state is ContainerState.RUNNING and container.moving_to is None)


def movable_requests(containers: Sequence[Container]) -> tuple[Request, ...]:
    """What needs room elsewhere when these containers' node is drained."""
    return tuple(container.request for container in containers if is_movable(container))
