"""Launches that ended well or were abandoned, counted for the pool's failure guard."""

from __future__ import annotations

from swarmkeeper.domain.model import Node
from swarmkeeper.domain.scaling.failures import after_abandon, after_ready
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Clock, Event, Events, StateStore

CLAIM_TRIES = 5


class Launches:
    """Counts each launch once however often it is told; the scaler writes the same record, so races are retried."""

    def __init__(self, *, store: StateStore, events: Events, clock: Clock, fleet: str) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._fleet = fleet

    def ready(self, node: Node) -> None:
        """The node is in service, which ends a row of failures."""
        self._remember(node, ready=True)

    def abandoned(self, node: Node, reason: str) -> None:
        """Count the failure and tell the scaler."""
        self._remember(node, ready=False)
        detail = {"fleet": self._fleet, "pool": node.pool, "node": node.id, "reason": reason[:200]}
        self._events.publish(Event.LAUNCH_ABANDONED, [detail])

    def _remember(self, node: Node, *, ready: bool) -> None:
        for _ in range(CLAIM_TRIES):
            state = self._store.scaling(node.pool)
            now = self._clock.now()
            changed: ScalingState = after_ready(state) if ready else after_abandon(state, now, node.id)
            if changed == state:
                return
            try:
                self._store.save_scaling(changed)
            except Conflict:
                continue
            return
        raise Unavailable(f"the scaling state of {node.pool} is contended")
