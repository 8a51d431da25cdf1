"""A node's health: how many contacts with its engine have failed in a row."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import NodeChanged
from swarmkeeper.ports import StateStore

HEALTHY = 100
WORSE = {HEALTHY: 67, 67: 34, 34: 0, 0: 0}
"""After a failed contact; classic Swarm's indicator, which reaches 0 with the third."""


class NodeHealth:
    """Keeps the indicator in the node's record, where every placement sees it."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def failed(self, node_id: NodeId) -> None:
        """The engine could not be reached, or did not answer in time."""
        self._change(node_id, WORSE)

    def answered(self, node_id: NodeId) -> None:
        """The engine did what it was asked, or refused it: it is there."""
        self._change(node_id, dict.fromkeys(WORSE, HEALTHY))

    def _change(self, node_id: NodeId, following: dict[int, int]) -> None:
        node = self._store.node(node_id)
        if node is None or node.state is NodeState.GONE:
            return
        health = following.get(node.health, HEALTHY)
        if health == node.health:
            return
        try:
            self._store.save_node(replace(node, health=health))
        except NodeChanged:  # another contact has been counted, or the node goes; the next one counts again
            return
