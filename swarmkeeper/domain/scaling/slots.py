"""Free room counted in slots: how many more containers of a typical size it holds.

Free cores and bytes added up promise room that no container finds: they lie in remainders on many nodes. Slots are
counted node by node, in both dimensions at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swarmkeeper.domain.model import NO_RESOURCES, Node, Resources

PERCENT = 100


def typical_size(counts: Mapping[Resources, int], percent: int = 95) -> Resources:
    """The CPU and the memory that at least `percent` of the reservations don't exceed, each by nearest rank.

    `counts` says how many reservations there are of each size. Nothing of none; generic resources are left out.
    """
    return Resources(
        _ranked(((size.nano_cpus, count) for size, count in counts.items()), percent),
        _ranked(((size.memory_bytes, count) for size, count in counts.items()), percent),
    )


def slots_in(room: Resources, size: Resources, containers: int | None = None) -> int:
    """How many containers of the size the room of one node holds, no more than `containers` where that is given.

    0 for a size of nothing: what has no size can't be counted.
    """
    counts = [] if containers is None else [containers]
    if size.nano_cpus > 0:
        counts.append(room.nano_cpus // size.nano_cpus)
    if size.memory_bytes > 0:
        counts.append(room.memory_bytes // size.memory_bytes)
    return max(0, min(counts)) if size != NO_RESOURCES and counts else 0


def free_slots(nodes: Iterable[Node], size: Resources) -> int:
    """How many more containers of the size the nodes hold, each node for itself."""
    return sum(slots_in(node.free, size, _free_containers(node)) for node in nodes)


def slots_needed(amount: Resources, size: Resources, percent: int = PERCENT) -> int:
    """How many slots hold `percent` of the amount, in the dimension that needs more; rounded up."""
    pairs = ((amount.nano_cpus, size.nano_cpus), (amount.memory_bytes, size.memory_bytes))
    return max((-(-wanted * percent // (PERCENT * each)) for wanted, each in pairs if each > 0), default=0)


def _free_containers(node: Node) -> int | None:
    return None if node.slots is None else node.slots - node.containers


def _ranked(amounts: Iterable[tuple[int, int]], percent: int) -> int:
    ascending = sorted(each for each in amounts if each[1] > 0)
    rank = -(-sum(count for _, count in ascending) * percent // PERCENT)
    for amount, count in ascending:
        rank -= count
        if rank <= 0:
            return amount
    return 0
