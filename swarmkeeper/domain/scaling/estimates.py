"""How many new nodes of a pool would hold some requests by size alone: what offers are compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from swarmkeeper.domain.model import Pool, Request, Resources


@dataclass(frozen=True, slots=True)
class Estimate:
    """So many new nodes, of which the last one holds `last`, counts by size."""

    nodes: int
    last: Mapping[Resources, int]


def nodes_to_hold(requests: Iterable[Request], pool: Pool) -> int:
    """New nodes of the pool for the requests, which come in packing order; see `estimate`."""
    return estimate(sizes_of(requests), pool).nodes


def sizes_of(requests: Iterable[Request]) -> Mapping[Resources, int]:
    """How many requests there are of each size, in the order in which the sizes first come."""
    return Counter(request.reservation for request in requests)


def estimate(sizes: Mapping[Resources, int], pool: Pool) -> Estimate:
    """New nodes of the pool, filled one after the other with the largest that fit.

    Rules between requests are not looked at, so more may be needed; what fits on no node takes one for each.
    """
    left, nodes, last = Counter(sizes), 0, Counter[Resources]()
    while left:
        filled = _one_node(left, pool)
        if not filled:
            return Estimate(nodes + left.total(), Counter([next(iter(left))]))
        alike = min(left[size] // count for size, count in filled)
        nodes, last = nodes + alike, Counter(dict(filled))
        for size, count in filled:
            left[size] -= count * alike
            if not left[size]:
                del left[size]
    return Estimate(nodes, last)


def _one_node(left: Counter[Resources], pool: Pool) -> list[tuple[Resources, int]]:
    """What an empty node takes of them, size by size."""
    room, slots = pool.node_capacity, left.total() if pool.slots is None else pool.slots
    cpus, memory, generic = room.nano_cpus, room.memory_bytes, dict(room.generic)
    filled: list[tuple[Resources, int]] = []
    for size, count in left.items():
        fits = min(count, slots)
        if size.nano_cpus:
            fits = min(fits, cpus // size.nano_cpus)
        if size.memory_bytes:
            fits = min(fits, memory // size.memory_bytes)
        for kind, amount in size.generic:
            fits = min(fits, generic.get(kind, 0) // amount)
        if fits <= 0:
            continue
        filled.append((size, fits))
        cpus, memory, slots = cpus - fits * size.nano_cpus, memory - fits * size.memory_bytes, slots - fits
        for kind, amount in size.generic:
            generic[kind] -= fits * amount
        if not slots:
            break
    return filled
