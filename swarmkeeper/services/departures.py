"""Have nodes leave that nobody is too many of: at an operator's wish, or because EC2 takes them back."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.leaving import INEVITABLE, outranks
from swarmkeeper.domain.membership import JOINING_STATES, LeaveCause, NodeState, Step
from swarmkeeper.domain.model import Leaving, Node, NodeId, Role
from swarmkeeper.errors import Conflict, NodeChanged
from swarmkeeper.ports import Clock, Event, Events, StateStore
from swarmkeeper.services.drainer import is_ending
from swarmkeeper.services.transitions import stepped

TRIES = 5
"""Of a change of a node's record, which other functions change too."""
STAYS = frozenset({NodeState.LEAVING, NodeState.GONE})


class Departures:
    """Marks nodes; draining them is the registrar's, room for what they hold the scaler's."""

    def __init__(self, *, fleet_name: str, store: StateStore, events: Events, clock: Clock) -> None:
        self._fleet_name = fleet_name
        self._store = store
        self._events = events
        self._clock = clock

    def ask(self, node_id: NodeId, cause: LeaveCause, *, note: str, by: float | None = None) -> Node | None:
        """Have the worker drained; a weaker cause than the one it leaves for changes nothing. None: no such node.

        Raises Conflict for a manager and for a node that still joins; NodeChanged when others were always faster.
        """
        leaving = Leaving(cause, since=self._clock.now(), by=by, note=note)
        for attempt in range(TRIES):
            node = self._store.node(node_id)
            if node is None or node.state is NodeState.GONE:
                return None
            if node.role is Role.MANAGER:
                raise Conflict(f"{node_id} is a manager: draining it would cost the Swarm's quorum")
            if node.state in JOINING_STATES:
                raise Conflict(f"{node_id} is {node.state}")
            if node.state in STAYS or not outranks(cause, node):
                return node
            try:
                marked = self._store.save_node(self._marked(node, leaving))
            except NodeChanged:
                if attempt == TRIES - 1:
                    raise
            else:
                self._tell(Event.NODE_DRAINING, node_id)
                self._events.publish(Event.CAPACITY_NEEDED, [{"fleet": self._fleet_name}])
                return marked
        return None

    def take_back(self, node_id: NodeId) -> Node | None:
        """Let the node serve on; None: no such node. Raises Conflict when its instance ends whatever we do."""
        for attempt in range(TRIES):
            node = self._store.node(node_id)
            if node is None or node.state is NodeState.GONE:
                return None
            if _must_end(node):
                raise Conflict(f"{node_id} is {node.state}: its instance ends")
            if node.state is not NodeState.DRAINING and node.leaving is None:
                return node
            try:
                kept = self._store.save_node(self._kept(node))
            except NodeChanged:
                if attempt == TRIES - 1:
                    raise
            else:
                self._tell(Event.MEMBERSHIP_CHECK, node_id)  # moves that have begun are undone
                self._events.publish(Event.PENDING_RETRY, [{"fleet": self._fleet_name}])  # there is room for what waits
                return kept
        return None

    def _marked(self, node: Node, leaving: Leaving) -> Node:
        marked = replace(node, leaving=leaving, reason=leaving.note)
        is_ready = node.state is NodeState.READY
        return stepped(marked, Step.DRAIN, now=self._clock.now()) if is_ready else marked

    def _kept(self, node: Node) -> Node:
        kept = replace(node, leaving=None, reason="")
        is_draining = node.state is NodeState.DRAINING
        return stepped(kept, Step.UNDRAIN, now=self._clock.now()) if is_draining else kept

    def _tell(self, event: Event, node_id: NodeId) -> None:
        self._events.publish(event, [{"fleet": self._fleet_name, "node": node_id}])


def _must_end(node: Node) -> bool:
    is_inevitable = node.leaving is not None and node.leaving.cause in INEVITABLE
    return is_inevitable or is_ending(node) or node.state is NodeState.LEAVING
