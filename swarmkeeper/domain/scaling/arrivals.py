"""Headroom by arrivals: room for what has lately come within one boot time, so that what comes next needn't wait.

What arrives while a node boots must find room on those that are there. How much that is, is remembered as a maximum
that decays, and held in slots of a typical size (see `slots`). Arrivals that don't fit such a slot are counted beside
it, and whole slots are held for them: many small pieces of room add up to none for a container that needs a node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp

from swarmkeeper.domain.model import NO_RESOURCES, Container, Pool, Resources
from swarmkeeper.domain.scaling.slots import PERCENT, slots_in, slots_needed, typical_size
from swarmkeeper.domain.scaling.spare import Spare


@dataclass(frozen=True, slots=True)
class ArrivalHeadroom:
    """How headroom follows arrivals.

    `boot_s`: from buying a node to a container on it. `memory_s`: after this time a peak counts for 1/e. `percent`:
    how much of the peak is held. `spare_nodes`: nodes may go only while so many more than that are free, or nodes
    would be sold and bought by turns.
    """

    boot_s: float = 90.0
    memory_s: float = 3600.0
    percent: int = 120
    spare_nodes: int = 1


@dataclass(frozen=True, slots=True)
class ArrivalPeak:
    """The most that has arrived within one boot time, as it counts at `at`, and the typical size of arrivals.

    `large_count` is the most of them that didn't fit the typical size, and decays likewise; `large` is as much CPU and
    as much memory as any of these had.
    """

    resources: Resources = NO_RESOURCES
    size: Resources = NO_RESOURCES
    at: float = 0.0
    large: Resources = NO_RESOURCES
    large_count: float = 0.0


NO_ARRIVALS = ArrivalPeak()
NEGLIGIBLE = 0.001
"""A count that has decayed below this is none: it would decay for ever, and the table stores no number below 1e-130."""


def observed(peak: ArrivalPeak, containers: Iterable[Container], now: float, headroom: ArrivalHeadroom) -> ArrivalPeak:
    """The peak with what is known of arrivals now: containers that wait or stand on the pool's nodes.

    What came and went between two observations is missed.
    """
    lately, remembered = Counter[Resources](), Counter[Resources]()
    for container in containers:
        age_s = now - container.requested_at
        if age_s < headroom.boot_s:
            lately[container.request.reservation] += 1
        if age_s < headroom.memory_s:
            remembered[container.request.reservation] += 1
    return raised(peak, lately, remembered, now, headroom)


def raised(
    peak: ArrivalPeak,
    lately: Mapping[Resources, int],
    remembered: Mapping[Resources, int],
    now: float,
    headroom: ArrivalHeadroom,
) -> ArrivalPeak:
    """The peak, decayed until now, raised to what arrived within the last boot time.

    Both say how many arrivals there were of each size: within the boot time, and within the memory. Where none is
    remembered, the sizes known last stay. An observation from the past decays nothing.
    """
    kept = exp(-max(0.0, now - peak.at) / headroom.memory_s)
    size = typical_size(remembered)
    size = peak.size if size == NO_RESOURCES else size
    large = _widest(each for each in remembered if _exceeds(each, size))
    nano_cpus = sum(each.nano_cpus * count for each, count in lately.items())
    memory_bytes = sum(each.memory_bytes * count for each, count in lately.items())
    larger = sum(count for each, count in lately.items() if _exceeds(each, size))
    large_count = max(larger, peak.large_count * kept)
    return ArrivalPeak(
        resources=Resources(
            max(nano_cpus, int(peak.resources.nano_cpus * kept)),
            max(memory_bytes, int(peak.resources.memory_bytes * kept)),
        ),
        size=size,
        at=max(now, peak.at),
        large=peak.large if large == NO_RESOURCES else large,
        large_count=large_count if large_count >= NEGLIGIBLE else 0.0,
    )


def spares_of(peak: ArrivalPeak, headroom: ArrivalHeadroom) -> tuple[Spare, ...]:
    """The room to keep free: slots of the typical size for all that may come, and slots for what is larger.

    A slot of one kind may lie in those of the other. Large ones are rounded to the nearest: a single one that came
    once is waited for while it counts for half at least.
    """
    typical = Spare(peak.size, slots_needed(peak.resources, peak.size, headroom.percent))
    large = Spare(peak.large, int(peak.large_count * headroom.percent / PERCENT + 0.5))
    return (typical, large) if large.count else (typical,)


def spares_beyond(spares: Iterable[Spare], pool: Pool, nodes: int) -> tuple[Spare, ...]:
    """The spares, each with what so many whole nodes of the pool hold on top."""
    return tuple(Spare(each.piece, each.count + nodes * slots_of(pool, each.piece)) for each in spares)


def nodes_missing(slots: Sequence[int], spares: Sequence[Spare], pool: Pool) -> int:
    """How many more nodes of the pool the spares need; a spare that not even an empty node holds needs none.

    `slots` has for each spare how many the pool's ready, joining and promised nodes hold beside all that is pending.
    """
    wanted = zip(slots, spares, strict=True)
    return max((nodes_for(spare.count - free, slots_of(pool, spare.piece)) for free, spare in wanted), default=0)


def nodes_beyond(slots: Sequence[int], nodes: int, spares: Sequence[Spare], pool: Pool) -> int:
    """How many empty ones of so many nodes may go so that the spares remain; the slots are those of `nodes_missing`."""
    least = nodes
    for free, spare in zip(slots, spares, strict=True):
        of_one = slots_of(pool, spare.piece)
        least = min(least, max(0, free - spare.count) // of_one) if of_one else least
    return least


def slots_of(pool: Pool, size: Resources) -> int:
    """How many slots an empty node of the pool has."""
    return slots_in(pool.node_capacity, size, pool.slots)


def nodes_for(slots: int, of_one: int) -> int:
    """How many nodes have so many slots; 0 where nodes have none."""
    return -(-slots // of_one) if slots > 0 and of_one > 0 else 0


def _exceeds(size: Resources, slot: Resources) -> bool:
    return size.nano_cpus > slot.nano_cpus or size.memory_bytes > slot.memory_bytes


def _widest(sizes: Iterable[Resources]) -> Resources:
    """The most CPU and the most memory of any; nothing of none."""
    widest = NO_RESOURCES
    for size in sizes:
        widest = Resources(max(widest.nano_cpus, size.nano_cpus), max(widest.memory_bytes, size.memory_bytes))
    return widest
