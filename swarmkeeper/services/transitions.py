"""Node records change their state along the membership table and in no other way."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.membership import Step, after
from swarmkeeper.domain.model import Node
from swarmkeeper.errors import InvariantBroken


def stepped(node: Node, step: Step, *, now: float) -> Node:
    """The record after the step. Raises InvariantBroken where the table has no such step."""
    state = after(node.state, step)
    if state is None:
        raise InvariantBroken(f"{node.id}: {step} is not possible while {node.state}")
    return replace(node, state=state, state_since=now)
