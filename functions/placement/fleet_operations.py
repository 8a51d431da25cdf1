"""What the placement function does for those who look after the fleet: its nodes, and why pools are as large."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import Node, NodeId, PoolName
from swarmkeeper.domain.scaling.history import StoredDecision
from swarmkeeper.errors import NodeChanged
from swarmkeeper.ports import DecisionLog, StateStore
from swarmkeeper.services.departures import Departures

TRIES = 5
"""Of a change of a node's record, which other functions change too."""


class FleetOperations:
    """Nodes and scaling decisions."""

    def __init__(self, *, store: StateStore, history: DecisionLog, departures: Departures) -> None:
        self._departures = departures
        self._store = store
        self._history = history

    def nodes(self) -> tuple[Node, ...]:
        return self._store.nodes()

    def protect(self, node_id: NodeId, *, protected: bool) -> Node | None:
        """Let scale-in leave the node alone, or not; None for one that is unknown or gone. Raises NodeChanged."""
        for _ in range(TRIES - 1):
            try:
                return self._protect_once(node_id, protected=protected)
            except NodeChanged:
                continue
        return self._protect_once(node_id, protected=protected)

    def drain(self, node_id: NodeId) -> Node | None:
        """Have the node leave, whatever demand there is; None for one that is unknown or gone. Raises Conflict."""
        return self._departures.ask(node_id, LeaveCause.OPERATOR, note="drained by an operator")

    def undrain(self, node_id: NodeId) -> Node | None:
        """Let the node serve on; None for one that is unknown or gone. Raises Conflict when its instance ends."""
        return self._departures.take_back(node_id)

    def decisions(
        self, pool: PoolName | None, *, since: float, limit: int, after: str
    ) -> tuple[tuple[StoredDecision, ...], str]:
        """A page, the newest first, and where the next begins. Raises InvalidInput."""
        return self._history.decisions(pool, since=since, limit=limit, after=after)

    def decision(self, decision_id: str) -> StoredDecision | None:
        return self._history.decision(decision_id)

    def _protect_once(self, node_id: NodeId, *, protected: bool) -> Node | None:
        node = self._store.node(node_id)
        if node is None or node.state is NodeState.GONE:
            return None
        return node if node.protected == protected else self._store.save_node(replace(node, protected=protected))
