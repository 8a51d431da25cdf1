"""Swarmkeeper's own policy: what waits is packed, and headroom follows arrivals.

It decides with the functions that `decide_fleet` decides with, on sums that it keeps current instead of a listing of
all containers: a decision every five seconds of a simulated week would take hours otherwise. A test takes snapshots
out of a simulation and compares both.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarmkeeper.domain.model import Node, NodeId, Resources
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.scaling.arrivals import (
    NO_ARRIVALS,
    ArrivalHeadroom,
    nodes_beyond,
    nodes_missing,
    raised,
    spares_beyond,
    spares_of,
)
from swarmkeeper.domain.scaling.demand import as_joined, new_node
from swarmkeeper.domain.scaling.estimates import nodes_to_hold
from swarmkeeper.domain.scaling.packing import in_packing_order
from swarmkeeper.domain.scaling.room import Room
from swarmkeeper.domain.scaling.slots import free_slots, slots_in
from swarmkeeper.simulation.fleet import Fleet, SimulatedNode, request_of
from swarmkeeper.simulation.policies.base import NO_CHANGE, Change, youngest
from swarmkeeper.simulation.policies.recent import Recent
from swarmkeeper.simulation.waiting import Waiting
from swarmkeeper.simulation.workload import Job


class Ours:
    """Buys what waiting jobs and the headroom need; removes empty nodes, the youngest first, while nothing waits."""

    def __init__(self, headroom: ArrivalHeadroom, every_s: float) -> None:
        self.every_s = every_s
        self.peak = NO_ARRIVALS
        self._headroom = headroom
        self._lately = Recent(headroom.boot_s)
        self._remembered = Recent(headroom.memory_s)
        self._slots = Slots()

    def arrived(self, job: Job) -> None:
        """Count the job."""
        self._lately.arrived(job)
        self._remembered.arrived(job)

    def ended(self, job: Job) -> None:
        """Count the job no more."""
        self._lately.ended(job)
        self._remembered.ended(job)

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        """Buy, or remove, or neither."""
        lately, remembered = self._lately.until(now), self._remembered.until(now)
        self.peak = raised(self.peak, lately, remembered, now, self._headroom)
        spares = spares_of(self.peak, self._headroom)
        ready = self._slots.of_ready(fleet, tuple(spare.piece for spare in spares))
        extra, joining = _packed(fleet, waiting, now)
        free = [slots + free_slots(joining, spare.piece) for slots, spare in zip(ready, spares, strict=True)]
        extra += nodes_missing(free, spares, fleet.pool)
        if extra or waiting:
            return Change(buy=extra)
        if not fleet.empty:
            return NO_CHANGE
        beyond = spares_beyond(spares, fleet.pool, self._headroom.spare_nodes)
        return Change(remove=youngest(fleet, nodes_beyond(free, len(fleet), beyond, fleet.pool)))


class Slots:
    """The free slots of all ready nodes, by size; only nodes whose room has changed are looked at again."""

    def __init__(self) -> None:
        self._sizes: tuple[Resources, ...] = ()
        self._of_node: dict[NodeId, tuple[int, ...]] = {}
        self._totals: list[int] = []

    def of_ready(self, fleet: Fleet, sizes: tuple[Resources, ...]) -> Sequence[int]:
        """How many more containers of each size the ready nodes hold."""
        if sizes != self._sizes:
            self._sizes, self._totals, self._of_node = sizes, [0] * len(sizes), {}
            fleet.touched.update(fleet.ready)
        for node in fleet.touched.values():
            self._count(node, node.id in fleet.ready)
        fleet.touched.clear()
        return self._totals

    def _count(self, node: SimulatedNode, is_there: bool) -> None:
        before = self._of_node.pop(node.id, None) or (0,) * len(self._sizes)
        slots = tuple(slots_in(node.free, size) if is_there else 0 for size in self._sizes)
        self._totals = [total + new - old for total, new, old in zip(self._totals, slots, before, strict=True)]
        if is_there:
            self._of_node[node.id] = slots


def _packed(fleet: Fleet, waiting: Waiting, now: float) -> tuple[int, tuple[Node, ...]]:
    """How many new nodes what waits needs beside the booting ones, and all of these with it on them.

    Ready nodes are left out: nothing waits that one of them could hold.
    """
    pool = fleet.pool
    booting = tuple(as_joined(fleet.record(node), pool) for node in fleet.booting)
    if not waiting:
        return 0, booting
    room, bought = Room([NodeFacts(node) for node in booting], fleet.options), 0
    requests = [request_of(job.number, job.reservation) for job in waiting]
    _, left = room.place(in_packing_order(requests, pool.node_capacity))
    while left:
        more = nodes_to_hold(left, pool)
        for number in range(bought, bought + more):
            room.add(new_node(pool, number, now=now))
        bought += more
        _, left = room.place(left)
    return bought, tuple(room.nodes.values())
