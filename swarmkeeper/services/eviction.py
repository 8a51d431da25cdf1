"""Take containers off a node that ends, without a second live copy and without losing one."""

from __future__ import annotations

from swarmkeeper.domain.model import Container, Node
from swarmkeeper.errors import Conflict
from swarmkeeper.ports import Engines, StateStore
from swarmkeeper.services.mover import Mover


class Evictor:
    """What stood on the node is pending again, or runs where it was moving to."""

    def __init__(self, *, store: StateStore, engines: Engines, mover: Mover) -> None:
        self._store = store
        self._engines = engines
        self._mover = mover

    def take_off(self, node: Node) -> None:
        """Evict from a node whose engine still runs: the copy goes before its name may start elsewhere.

        Raises Unavailable when an engine doesn't answer; nothing is given away then.
        """
        for container in self._store.containers_on(node.id):
            self._engines.remove(node, container.name)
            self._give_back(container, node)

    def forget(self, node: Node) -> None:
        """Evict from a node whose instance is gone, and its engine with it. Raises Unavailable to be retried."""
        for container in self._store.containers_on(node.id):
            self._give_back(container, node)

    def _give_back(self, container: Container, node: Node) -> None:
        if container.moving_to == node.id:
            self._back_to_source(container)
            return
        if container.moving_to is not None and self._mover.finish_without_source(container):
            return
        try:
            self._store.unplace(container, reason=f"its node {node.id} ended: {node.reason}")
        except Conflict:
            now = self._store.container(container.name)
            if now is not None and now.node == node.id:  # it was being removed
                self._store.release(self._store.begin_removal(now))

    def _back_to_source(self, container: Container) -> None:
        """The target ends and its copy with it: the old one runs again."""
        source = None if container.node is None else self._store.node(container.node)
        if source is not None:
            self._engines.resume(source, container.name, network=container.request.network)
        self._store.cancel_move(container)
