"""When a pool counts as failed, and how it comes back."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.model import NodeId
from swarmkeeper.domain.scaling.state import ScalingState

ABANDONS_THAT_FAIL_A_POOL = 3
REMEMBERED_ABANDONS = 8  # enough to know a repeated or disordered event again, small enough for one item

OWN_DOING = "lifecycle action"
"""What Auto Scaling says of a launch that our own hook ended; those are counted as abandoned."""


def is_about_capacity(message: str) -> bool:
    """Whether a launch failed for reasons of the group's own: capacity, a limit of the account, a bad template."""
    return OWN_DOING not in message.lower()


def after_abandon(state: ScalingState, now: float, node: NodeId | None = None) -> ScalingState:
    """The state after a launch was abandoned; from the third in a row on the pool is failed since `now`.

    A node counted already changes nothing. A later abandon (the one try of a failed pool) renews `failed_since`.
    """
    if node is not None and node in state.abandoned_nodes:
        return state
    count = state.abandoned_in_a_row + 1
    seen = state.abandoned_nodes if node is None else (*state.abandoned_nodes, node)[-REMEMBERED_ABANDONS:]
    failed_since = now if count >= ABANDONS_THAT_FAIL_A_POOL else state.failed_since
    return replace(state, abandoned_in_a_row=count, abandoned_nodes=seen, failed_since=failed_since)


def after_ready(state: ScalingState) -> ScalingState:
    """The state after a node became ready: no abandons in a row, not failed.

    The abandoned nodes stay known, so that a late copy of their event doesn't start a new row.
    """
    if not state.abandoned_in_a_row and state.failed_since is None:
        return state
    return replace(state, abandoned_in_a_row=0, failed_since=None)


def ceiling_while_failed(
    state: ScalingState, *, in_service: int, joining: int, retry_s: float, now: float
) -> int | None:
    """How many instances a failed pool may have; None when it is not failed.

    What is there stays. Once `retry_s` have passed since the last failure, one try more is allowed, and no
    second one while it joins.
    """
    if state.failed_since is None:
        return None
    may_try = now >= state.failed_since + retry_s and joining == 0
    return in_service + joining + (1 if may_try else 0)
