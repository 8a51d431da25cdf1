"""When the schedule must have the fleet decided though no alarm tells: told from the nodes' own records alone."""

from __future__ import annotations

from collections.abc import Iterable

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, Pool
from swarmkeeper.domain.scaling.guards import Limits, in_allowed_at
from swarmkeeper.domain.scaling.state import ScalingState


def is_recheck_due(state: ScalingState, now: float) -> bool:
    """Whether the time has come that the last decision put off what it could not do."""
    return state.recheck_at is not None and now >= state.recheck_at


def may_lose_an_empty_node(pool: Pool, nodes: Iterable[Node], state: ScalingState, limits: Limits, now: float) -> bool:
    """Whether a node in service holds nothing and may go, as far as can be told without a decision.

    No alarm tells of one: the pool's share may lie between `reserved_low` and `reserved_high` for ever. `nodes` may
    be of any pool. In a dry run, or while the group's Terminate process is suspended, none goes all the same.
    """
    if now < in_allowed_at(state, limits):
        return False
    ready = [node for node in nodes if node.pool == pool.name and node.state is NodeState.READY]
    return len(ready) > pool.min and any(node.containers == 0 and not node.protected for node in ready)
