"""What the fleet's nodes hold, as one warm function knows it: read again only where it may have changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId
from swarmkeeper.ports import StateStore

READERS = 8
"""Nodes whose containers are read at once; botocore keeps ten connections."""


class KnownContents:
    """A node's containers stand for the revision that its record had before they were read (see docs/adr/0017)."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._known: dict[NodeId, tuple[int, tuple[Container, ...]]] = {}

    def of(self, nodes: Iterable[Node]) -> dict[NodeId, tuple[Container, ...]]:
        """What each of the nodes holds that holds anything by its record; other nodes are forgotten."""
        holding = [node for node in nodes if node.containers]
        stale = [node for node in holding if not self._is_current(node)]
        read = dict(zip([node.id for node in stale], self._read(stale), strict=True))
        held = {node.id: read[node.id] if node.id in read else self._known[node.id][1] for node in holding}
        self._known = {node.id: (node.revision, held[node.id]) for node in holding}
        return held

    def _is_current(self, node: Node) -> bool:
        """Whether nothing has changed since it was read.

        The revision tells of what comes, goes and starts. That a move away has begun it does not tell, which only
        happens on nodes that drain; nor that something is being removed.
        """
        revision, containers = self._known.get(node.id, (-1, ()))
        return node.state is NodeState.READY and revision == node.revision and all(map(_is_settled, containers))

    def _read(self, nodes: Sequence[Node]) -> list[tuple[Container, ...]]:
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(self._store.containers_on, [node.id for node in nodes]))


def _is_settled(container: Container) -> bool:
    return container.state is ContainerState.RUNNING and container.moving_to is None
