"""The fleet as a decision may think of it: what is tried on it can be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, NodeId, PoolName, Request
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.index import ClusterIndex
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.scaling.books import Book
from swarmkeeper.domain.scaling.spare import Spare

NO_SPARES: Mapping[PoolName, Sequence[Spare]] = {}


class Room:
    """Nodes with what stands on them, through the index that places; only READY ones take anything.

    `nodes` has the records as they would be; `book` the totals over a pool's READY ones. Every change is undone by
    `undo` with the `mark` of before.
    """

    def __init__(
        self,
        nodes: Iterable[NodeFacts],
        options: PlacementOptions,
        spares: Mapping[PoolName, Sequence[Spare]] = NO_SPARES,
    ) -> None:
        """Raises UnknownStrategy. `spares` is the room that is to be kept free in each pool."""
        self.nodes: dict[NodeId, Node] = {}
        self._index = ClusterIndex(options)
        self._books = {pool: Book(each) for pool, each in spares.items()}
        self._undo: list[Callable[[], None]] = []
        for facts in nodes:
            self._index.put(facts)
            self._set(facts.id, facts.node)

    def book(self, pool: PoolName) -> Book:
        return self._books.setdefault(pool, Book())

    def place(self, requests: Sequence[Request]) -> tuple[dict[str, NodeId], list[Request]]:
        """Put each where placement would, in this order: where they went, by name, and those that fit nowhere.

        Raises InvalidExpression.
        """
        taken: dict[str, NodeId] = {}
        left: list[Request] = []
        for request, choice in zip(requests, self._index.place_many(requests), strict=True):
            if choice.node_id is None:
                left.append(request)
                continue
            taken[request.name] = choice.node_id
            before = self.nodes[choice.node_id]
            self._set(choice.node_id, before.holding(request.reservation))
            self._undo.append(partial(self._take_off, request, choice.node_id))
        return taken, left

    def take_off(self, request: Request, node_id: NodeId) -> None:
        """Take a container off that `place` has put on the node."""
        self._take_off(request, node_id)
        self._undo.append(partial(self._put_on, request, node_id))

    def open(self, node_id: NodeId) -> None:
        """Let the node take containers."""
        self._turn(node_id, NodeState.READY)

    def close(self, node_id: NodeId) -> None:
        """Let the node take nothing more: it is on its way out."""
        self._turn(node_id, NodeState.DRAINING)

    def add(self, node: Node) -> None:
        """One more node, with nothing on it."""
        self._index.put_node(node)
        self._set(node.id, node)
        self._undo.append(partial(self._forget, node.id))

    def mark(self) -> int:
        """What `undo` goes back to."""
        return len(self._undo)

    def undo(self, mark: int) -> None:
        """Take back all changes since the mark, the last one first."""
        while len(self._undo) > mark:
            self._undo.pop()()

    def _turn(self, node_id: NodeId, state: NodeState) -> None:
        before = self.nodes[node_id]
        self._replace(replace(before, state=state))
        self._undo.append(lambda: self._replace(replace(self.nodes[node_id], state=before.state)))

    def _replace(self, node: Node) -> None:
        self._index.put_node(node)
        self._set(node.id, node)

    def _put_on(self, request: Request, node_id: NodeId) -> None:
        self._index.hold(node_id, occupant_of(request))
        self._set(node_id, self.nodes[node_id].holding(request.reservation))

    def _take_off(self, request: Request, node_id: NodeId) -> None:
        self._index.drop(node_id, request.name)
        node = self.nodes[node_id]
        self._set(node_id, replace(node, reserved=node.reserved - request.reservation, containers=node.containers - 1))

    def _forget(self, node_id: NodeId) -> None:
        self._index.remove_node(node_id)
        before = self.nodes.pop(node_id)
        if before.state is NodeState.READY:
            self.book(before.pool).strike(before)

    def _set(self, node_id: NodeId, node: Node) -> None:
        before = self.nodes.get(node_id)
        self.nodes[node_id] = node
        if before is not None and before.state is NodeState.READY:
            self.book(node.pool).strike(before)
        if node.state is NodeState.READY:
            self.book(node.pool).enter(node)
