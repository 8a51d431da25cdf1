"""Managers come and go one at a time: what the quorum allows to one, it may not allow to two at once."""

from __future__ import annotations

from enum import StrEnum

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import Node, NodeId
from swarmkeeper.errors import Conflict
from swarmkeeper.ports import StateStore

MANAGER_CHANGE = "manager-change"
"""The fact that says which manager comes or goes: `<change>/<node>`. That it is over its holder's record tells."""


class Change(StrEnum):
    """What becomes of a manager."""

    JOIN = "join"
    LEAVE = "leave"


class Turns:
    """Whose turn it is, kept in the table; taking it may be repeated."""

    def __init__(self, *, store: StateStore) -> None:
        self._store = store

    def take(self, node: Node, change: Change) -> str:
        """Make it this node's turn; returns "", or who has it."""
        wanted, held = f"{change}/{node.id}", self._store.fact(MANAGER_CHANGE)
        if held == wanted:
            return ""
        if held is not None and not held.endswith(f"/{node.id}") and self._lasts(held):
            return _told(held)
        try:
            self._store.replace_fact(MANAGER_CHANGE, expected=held, value=wanted)
        except Conflict:
            return "another manager took its turn at this moment"
        return ""

    def _lasts(self, held: str) -> bool:
        change, _, node_id = held.partition("/")
        holder = self._store.node(NodeId(node_id))
        if holder is None or holder.state is NodeState.GONE:
            return False
        return holder.state in JOINING_STATES if change == Change.JOIN else True


def _told(held: str) -> str:
    change, _, node_id = held.partition("/")
    return f"another manager, {node_id}, {'is joining' if change == Change.JOIN else 'is leaving'}"
