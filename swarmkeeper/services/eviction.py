"""Take containers off a node that ends, without a second live copy and without losing one."""

from __future__ import annotations

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Engines, Fleet, StateStore
from swarmkeeper.services.mover import Mover

TRIES = 5
"""Others' writes that are met one after the other, before a later call goes on."""


class Evictor:
    """What stood on the node is pending again, or runs where it was moving to."""

    def __init__(self, *, store: StateStore, engines: Engines, fleet: Fleet, mover: Mover) -> None:
        self._store = store
        self._engines = engines
        self._fleet = fleet
        self._mover = mover

    def take_off(self, node: Node) -> None:
        """Evict from a node whose engine still runs: the copy goes before its name may start elsewhere.

        Raises Unavailable when an engine doesn't answer; nothing is given away then.
        """
        for container in self._store.containers_on(node.id):
            self._evict(container, node, runs=True)

    def forget(self, node: Node) -> None:
        """Evict from a node whose instance is gone, and its engine with it.

        One that has to wait for another node keeps none of the others. Raises Unavailable to be retried.
        """
        problem: Unavailable | None = None
        for container in self._store.containers_on(node.id):
            try:
                self._evict(container, node, runs=False)
            except Unavailable as error:
                problem = problem or error
        if problem is not None:
            raise problem

    def _evict(self, container: Container, node: Node, *, runs: bool) -> None:
        """Somebody may lease, explain or remove it meanwhile: then what is stored now is looked at again."""
        for _ in range(TRIES):
            if runs:
                self._engines.remove(node, container.name)
            try:
                self._give_back(container, node)
            except Conflict:
                now = self._store.container(container.name)
                if now is None or node.id not in (now.node, now.moving_to):
                    return
                container = now
            else:
                return
        raise Unavailable(f"{container.name} on {node.id} keeps changing")

    def _give_back(self, container: Container, node: Node) -> None:
        """Raises Conflict when it is no longer as given."""
        if container.state is ContainerState.REMOVING:
            self._finish_removal(container, node)
        elif container.moving_to == node.id:
            self._back_to_source(container)
        elif not self._runs_at_its_target(container):
            self._store.unplace(container, reason=f"its node {node.id} ended: {node.reason}")

    def _finish_removal(self, container: Container, node: Node) -> None:
        """It is gone with this node; at its move's other end it goes too, unless that is over. Raises Unavailable."""
        for other_id in {container.node, container.moving_to} - {node.id}:
            other = self._other(other_id)
            if other is not None:
                self._engines.remove(other, container.name)
        self._store.release(container)

    def _runs_at_its_target(self, container: Container) -> bool:
        """Whether it runs now where it was moving to; False when it moved nowhere, or that node is over too."""
        target = self._other(container.moving_to)
        return target is not None and self._mover.finish_without_source(container)

    def _back_to_source(self, container: Container) -> None:
        """The target ends and its copy with it: the old one runs again, unless its node is over too."""
        container = self._mover.spoil(container)
        source = self._other(container.node)
        if source is not None:
            self._mover.resume(container, source)
        self._store.cancel_move(container)

    def _other(self, node_id: NodeId | None) -> Node | None:
        """The other node of a move; None when it is over. One that waits for its own burial would answer nobody."""
        node = None if node_id is None else self._store.node(node_id)
        if node is None or node.state is NodeState.GONE:
            return None
        instance = self._fleet.instance(node.id)
        return node if instance is not None and instance.running else None
