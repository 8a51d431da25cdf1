"""Headroom by arrivals: room for what has lately come within one boot time, so that what comes next needn't wait.

What arrives while a node boots must find room on those that are there. How much that is, is remembered as a maximum
that decays, and held in slots of a typical size (see `slots`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp

from swarmkeeper.domain.model import NO_RESOURCES, Container, Pool, Resources
from swarmkeeper.domain.scaling.slots import slots_in, slots_needed, typical_size


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
    """The most that has arrived within one boot time, as it counts at `at`, and the typical size of arrivals."""

    resources: Resources = NO_RESOURCES
    size: Resources = NO_RESOURCES
    at: float = 0.0


NO_ARRIVALS = ArrivalPeak()


def observed(peak: ArrivalPeak, containers: Iterable[Container], now: float, headroom: ArrivalHeadroom) -> ArrivalPeak:
    """The peak with what is known of arrivals now: containers that wait or stand on the pool's nodes.

    What came and went between two observations is missed.
    """
    lately, sizes = NO_RESOURCES, Counter[Resources]()
    for container in containers:
        age_s = now - container.requested_at
        if age_s < headroom.boot_s:
            lately += container.request.reservation
        if age_s < headroom.memory_s:
            sizes[container.request.reservation] += 1
    return raised(peak, lately, typical_size(sizes), now, headroom)


def raised(peak: ArrivalPeak, lately: Resources, size: Resources, now: float, headroom: ArrivalHeadroom) -> ArrivalPeak:
    """The peak, decayed until now, raised to what arrived within the last boot time.

    `size` is the typical one of the arrivals within the memory, NO_RESOURCES when there were none: then the last
    one known stays. An observation from the past decays nothing.
    """
    kept = exp(-max(0.0, now - peak.at) / headroom.memory_s)
    resources = Resources(
        max(lately.nano_cpus, int(peak.resources.nano_cpus * kept)),
        max(lately.memory_bytes, int(peak.resources.memory_bytes * kept)),
    )
    return ArrivalPeak(resources, peak.size if size == NO_RESOURCES else size, max(now, peak.at))


def slots_wanted(peak: ArrivalPeak, headroom: ArrivalHeadroom) -> int:
    """How many slots of the typical size shall be free."""
    return slots_needed(peak.resources, peak.size, headroom.percent)


def nodes_missing(slots: int, peak: ArrivalPeak, pool: Pool, headroom: ArrivalHeadroom) -> int:
    """How many more nodes of the pool the headroom needs; 0 when not even an empty node has a slot.

    `slots` are the free ones of the pool's ready, joining and promised nodes, with all that is pending on them.
    """
    return nodes_for(slots_wanted(peak, headroom) - slots, slots_of(pool, peak.size))


def nodes_spare(slots: int, nodes: int, peak: ArrivalPeak, pool: Pool, headroom: ArrivalHeadroom) -> int:
    """How many empty ones of so many nodes may go; the slots are those of `nodes_missing`."""
    of_one = slots_of(pool, peak.size)
    surplus = slots - slots_wanted(peak, headroom)
    return nodes if of_one == 0 else max(0, surplus // of_one - headroom.spare_nodes)


def slots_of(pool: Pool, size: Resources) -> int:
    """How many slots an empty node of the pool has."""
    return slots_in(pool.node_capacity, size, pool.slots)


def nodes_for(slots: int, of_one: int) -> int:
    """How many nodes have so many slots; 0 where nodes have none."""
    return -(-slots // of_one) if slots > 0 and of_one > 0 else 0
