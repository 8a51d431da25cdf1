"""How many new nodes of a pool would hold some requests by size alone: what offers are compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from swarmkeeper.domain.model import Pool, Request, Resources


def nodes_to_hold(requests: Sequence[Request], pool: Pool) -> int:
    """New nodes of the pool, filled one after the other with the largest that fit.

    Rules between requests are not looked at, so more may be needed; each must fit on an empty node. Requests come
    in packing order.
    """
    left = Counter(request.reservation for request in requests)
    nodes = 0
    while left:
        filled = _one_node(left, pool)
        if not filled:
            return nodes + left.total()
        alike = min(left[size] // count for size, count in filled)
        nodes += alike
        for size, count in filled:
            left[size] -= count * alike
            if not left[size]:
                del left[size]
    return nodes


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
