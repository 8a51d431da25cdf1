"""Which reason to leave counts when there are several, and what is saved first when time is short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swarmkeeper.domain.membership import LeaveCause
from swarmkeeper.domain.model import Container, ContainerState, Node

RANK: Sequence[LeaveCause] = (
    LeaveCause.SCALE_IN,
    LeaveCause.REBALANCE,
    LeaveCause.IMAGE_UPDATE,
    LeaveCause.LIFETIME,
    LeaveCause.OPERATOR,
    LeaveCause.SPOT_INTERRUPTION,
    LeaveCause.GROUP,
)
"""From wishes, which may be taken back, to what happens whatever we do."""
INEVITABLE = frozenset({LeaveCause.SPOT_INTERRUPTION, LeaveCause.GROUP})
ENDING = INEVITABLE | {LeaveCause.IMAGE_UPDATE, LeaveCause.LIFETIME}
"""After the drain's limit the node ends whatever it holds; with other causes it serves on."""


def outranks(cause: LeaveCause, node: Node) -> bool:
    """Whether the cause replaces what the node leaves for by now."""
    return node.leaving is None or RANK.index(cause) > RANK.index(node.leaving.cause)


def ends_at_the_limit(node: Node) -> bool:
    """Whether what its drain's limit finds there is taken off, rather than the drain given up."""
    return node.leaving is not None and (node.leaving.by is not None or node.leaving.cause in ENDING)


def owed_a_word(node: Node, containers: Iterable[Container]) -> tuple[Container, ...]:
    """The node's own containers that can't be moved: only their owners can save what they hold."""
    return tuple(
        each
        for each in containers
        if each.node == node.id and not each.request.movable and each.state is not ContainerState.REMOVING
    )


def is_for_size(node: Node) -> bool:
    """Whether it leaves only because there are too many, so that new demand or its group's limits may keep it."""
    return node.leaving is None or node.leaving.cause is LeaveCause.SCALE_IN


def by_importance(containers: Iterable[Container]) -> list[Container]:
    """The order in which they are moved: first whose own layer is kept, since that takes longest; by age; by name."""
    return sorted(containers, key=_importance)


def _importance(container: Container) -> tuple[bool, float, str]:
    started = float("inf") if container.started_at is None else container.started_at
    return (not container.request.keeps_layer, started, container.name)
