"""Packs many requests onto nodes, as placing them one after another would, only faster.

Requests of one shape (same reservation, same constraints) are placed together: while they are, only the node
that took the last one has changed, so a heap replaces ranking all nodes again for each.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from swarmkeeper.domain.model import ContainerName, Node, NodeId, Request, Resources, Rules
from swarmkeeper.domain.placement.filters import Wish, first_rejection, wish_of
from swarmkeeper.domain.placement.strategies import Rank, Strategy, strategy_named


@dataclass(frozen=True, slots=True)
class Packing:
    """The nodes as they would be, who went where, and the requests that no node could hold."""

    nodes: tuple[Node, ...]
    placed: tuple[tuple[ContainerName, NodeId], ...]
    left: tuple[Request, ...]


def in_packing_order(requests: Iterable[Request], scale: Resources) -> list[Request]:
    """Largest first, by the larger share of CPU or memory of `scale`; equal ones by shape, then name.

    Placing pending requests in this order wastes least; sizing assumes it.
    """

    def key(request: Request) -> tuple[int, int, int, tuple[str, ...], str]:
        cpus, memory = request.reservation.nano_cpus, request.reservation.memory_bytes
        larger = max(cpus * scale.memory_bytes, memory * scale.nano_cpus)
        return -larger, -cpus, -memory, request.rules.constraints, request.name

    return sorted(requests, key=key)


def shape(request: Request) -> tuple[Resources, Rules]:
    """What makes two requests equal for filters and strategies."""
    return request.reservation, request.rules


def pack(requests: Sequence[Request], nodes: Sequence[Node], *, strategy: str) -> Packing:
    """Place the requests in the order given, each where `decide` without a seed would put it.

    Requests of one shape should stand together, or the packing is slow. Raises InvalidExpression.
    """
    rooms = {node.id: node for node in nodes}
    ranking = strategy_named(strategy)
    placed: list[tuple[ContainerName, NodeId]] = []
    left: list[Request] = []
    for _, alike in groupby(requests, key=shape):
        group = list(alike)
        takers = _takers(wish_of(group[0]), rooms, ranking)
        for request in group:
            taker = next(takers, None)
            if taker is None:
                left.append(request)
            else:
                placed.append((request.name, taker))
    return Packing(tuple(rooms.values()), tuple(placed), tuple(left))


def _takers(wish: Wish, rooms: dict[NodeId, Node], strategy: Strategy) -> Iterator[NodeId]:
    """The nodes that take one request of this wish after the other; `rooms` is changed with each.

    Nodes only fill meanwhile, so once the first pass finds none, it never will again.
    """
    yield from _takers_of_pass(wish, rooms, strategy)
    if wish.is_soft:
        yield from _takers_of_pass(wish.hard_only(), rooms, strategy)


def _takers_of_pass(wish: Wish, rooms: dict[NodeId, Node], strategy: Strategy) -> Iterator[NodeId]:
    heap = [(rank, node.id) for node in rooms.values() if (rank := _rank(node, wish, strategy)) is not None]
    heapq.heapify(heap)
    while heap:
        _, node_id = heap[0]
        node = rooms[node_id] = rooms[node_id].holding(wish.reservation)
        rank = _rank(node, wish, strategy)
        if rank is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (rank, node_id))
        yield node_id


def _rank(node: Node, wish: Wish, strategy: Strategy) -> Rank | None:
    if first_rejection(node, wish) is not None:
        return None
    weight = strategy.weight(node, wish.reservation)
    return None if weight is None else strategy.rank(node, weight, None)
