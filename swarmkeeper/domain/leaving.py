"""Which reason to leave counts when there are several, and what is saved first when time is short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swarmkeeper.domain.membership import LeaveCause
from swarmkeeper.domain.model import Container, Node

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


def outranks(cause: LeaveCause, node: Node) -> bool:
    """Whether the cause replaces what the node leaves for by now."""
    return node.leaving is None or RANK.index(cause) > RANK.index(node.leaving.cause)


def is_for_size(node: Node) -> bool:
    """Whether it leaves only because there are too many, so that new demand or its group's limits may keep it."""
    return node.leaving is None or node.leaving.cause is LeaveCause.SCALE_IN


def by_importance(containers: Iterable[Container]) -> list[Container]:
    """The order in which they are moved: who has run longest, then by name."""
    return sorted(containers, key=_importance)


def _importance(container: Container) -> tuple[float, str]:
    started = float("inf") if container.started_at is None else container.started_at
    return (started, container.name)
