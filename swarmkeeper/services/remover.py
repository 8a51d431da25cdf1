"""Take containers off their engines and give their reservations back."""

from __future__ import annotations

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState
from swarmkeeper.ports import Clock, Engines, StateStore


class Remover:
    """Removes containers wherever they stand; every step may be repeated."""

    def __init__(self, *, store: StateStore, engines: Engines, clock: Clock) -> None:
        self._store = store
        self._engines = engines
        self._clock = clock

    def remove(self, container: Container) -> bool:
        """Remove it from the engines that may hold it, then give its reservations back.

        False when a call may still be starting it: the record stays until that call's lease is over, since a copy
        may appear until then. Raises Conflict when it is no longer as given, Unavailable when an engine does not
        answer; either way a later call may go on.
        """
        if container.state is not ContainerState.REMOVING:
            container = self._store.begin_removal(container)
        for node_id in (container.node, container.moving_to):
            node = None if node_id is None else self._store.node(node_id)
            if node is not None and node.state is not NodeState.GONE:
                self._engines.remove(node, container.name)
        if container.lease_until > self._clock.now():
            return False
        self._store.release(container)
        return True
