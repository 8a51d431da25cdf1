"""Packs many requests onto nodes, as placing them one after another would, only faster.

Requests of one shape (same reservation, rules and image) are placed together: while they are, only the node that
took the last one has changed, so a heap replaces ranking all nodes again for each.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from swarmkeeper.domain.model import ContainerName, NodeId, Occupant, Request, Resources, Rules
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.ranking import Ranker, crowds, group_of
from swarmkeeper.domain.placement.reasons import Rejection
from swarmkeeper.domain.placement.strategies import Rank
from swarmkeeper.domain.placement.wish import Wish, wish_of


@dataclass(frozen=True, slots=True)
class Packing:
    """The nodes as they would be, who went where, and the requests that no node could hold."""

    nodes: tuple[NodeFacts, ...]
    placed: tuple[tuple[ContainerName, NodeId], ...]
    left: tuple[Request, ...]


def in_packing_order(requests: Iterable[Request], scale: Resources) -> list[Request]:
    """Largest first, by the larger share of CPU or memory of `scale`; equal ones by shape, then name.

    Placing pending requests in this order wastes least; sizing assumes it.
    """

    def key(request: Request) -> tuple[int, int, int, str, str, str]:
        cpus, memory = request.reservation.nano_cpus, request.reservation.memory_bytes
        larger = max(cpus * scale.memory_bytes, memory * scale.nano_cpus)
        return -larger, -cpus, -memory, f"{request.reservation.generic}{request.rules}", request.image, request.name

    return sorted(requests, key=key)


def shape(request: Request) -> tuple[Resources, Rules, str]:
    """What makes two requests equal for filters and strategies."""
    return request.reservation, request.rules, request.image


def pack(requests: Sequence[Request], nodes: Sequence[NodeFacts], *, options: PlacementOptions) -> Packing:
    """Place the requests in the order given, each where `decide` without a seed would put it.

    Requests of one shape should stand together, or the packing is slow. Raises InvalidExpression.
    """
    rooms = _Rooms(nodes, options)
    ranker = Ranker(options)
    placed: list[tuple[ContainerName, NodeId]] = []
    left: list[Request] = []
    for _, alike in groupby(requests, key=shape):
        group = list(alike)
        takers = _Takers(wish_of(group[0], options), rooms, ranker)
        for request in group:
            taker = takers.take(occupant_of(request))
            if taker is None:
                left.append(request)
            else:
                placed.append((request.name, taker))
    return Packing(tuple(rooms.nodes.values()), tuple(placed), tuple(left))


class _Rooms:
    """The nodes as they fill, and how crowded each group of them is."""

    def __init__(self, nodes: Sequence[NodeFacts], options: PlacementOptions) -> None:
        self.nodes = {node.id: node for node in nodes}
        self.crowds = dict(crowds(nodes, options))
        self._options = options

    def put(self, node_id: NodeId, occupant: Occupant) -> None:
        """One more container on the node."""
        self.nodes[node_id] = self.nodes[node_id].holding(occupant)
        self.crowds[group_of(self.nodes[node_id], self._options)] += 1


class _Takers:
    """Finds the node for one request of a wish after the other, with and then without soft expressions."""

    def __init__(self, wish: Wish, rooms: _Rooms, ranker: Ranker) -> None:
        self._wish = wish
        self._rooms = rooms
        self._ranker = ranker
        self._queues = [_Queue(wish, rooms, ranker)]

    def take(self, occupant: Occupant) -> NodeId | None:
        """Put the container on the best node; None when none can hold it.

        The first pass is asked every time: a container that went anywhere in the second may be what a soft
        affinity of the next looks for.
        """
        taker = self._best()
        if taker is not None:
            self._rooms.put(taker, occupant)
            for queue in self._queues:
                queue.rank(taker)
        return taker

    def _best(self) -> NodeId | None:
        found = self._queues[0].best()
        if found is not None or not self._wish.is_soft:
            return found
        if len(self._queues) == 1:
            self._queues.append(_Queue(self._wish.hard_only(), self._rooms, self._ranker))
        return self._queues[1].best()


class _Queue:
    """The nodes that can hold a wish, best first: a heap for each group that is balanced."""

    def __init__(self, wish: Wish, rooms: _Rooms, ranker: Ranker) -> None:
        self._wish = wish
        self._rooms = rooms
        self._ranker = ranker
        self._heaps: dict[str, list[tuple[Rank, NodeId]]] = {}
        self._ranks: dict[NodeId, Rank] = {}
        for node_id in rooms.nodes:
            self.rank(node_id)

    def rank(self, node_id: NodeId) -> None:
        """Rank the node as it is now. What the heap holds of it from before is passed over by `best`."""
        standing = self._ranker.standing(self._rooms.nodes[node_id], self._wish)
        if isinstance(standing, Rejection):
            self._ranks.pop(node_id, None)
            return
        self._ranks[node_id] = standing.rank
        heapq.heappush(self._heaps.setdefault(standing.group, []), (standing.rank, node_id))

    def best(self) -> NodeId | None:
        """The node that `decide` would choose; None when there is none."""
        tops = [
            (self._rooms.crowds[group], *heap[0]) for group, heap in self._heaps.items() if self._drop_outdated(heap)
        ]
        return min(tops)[-1] if tops else None

    def _drop_outdated(self, heap: list[tuple[Rank, NodeId]]) -> bool:
        """Whether a valid node is left, which then is the first."""
        while heap and self._ranks.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return bool(heap)
