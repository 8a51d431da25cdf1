"""How full nodes are of one resource, in whole percents, and which of them a request's share takes one further.

With `100 * used = level * total + rest`, and the same for what is requested, the truncated percentage of both
together is the node's level plus the request's level, plus one exactly when the two rests reach the total: when
they carry. So levels need no request, and for a request the carries are a threshold on the rest.
"""

from __future__ import annotations

from swarmkeeper.domain.placement.index.thresholds import AtLeast, MaskCell
from swarmkeeper.domain.placement.strategies import FULL

SIZES_KEPT = 1024
"""Distinct requested amounts with masks of their own. One more, and all are forgotten: a bound on memory."""


class Gauge:
    """One resource of one node. All but `total` and `used` are what its scale has made of these."""

    __slots__ = ("capacity", "followed", "free", "level", "rest", "total", "used")

    def __init__(self) -> None:
        self.total = self.used = self.followed = self.level = self.rest = self.free = 0
        self.capacity: Capacity | None = None

    def percent(self, amount: int) -> int:
        """How full it would be with so much more, truncated; 100 where nothing is requested."""
        return (self.used + amount) * FULL // self.total if amount else FULL


class Capacity:
    """The nodes that have the same total of a resource."""

    __slots__ = ("gauges", "rests", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.gauges: dict[Gauge, int] = {}
        """Each with its node's bit."""
        self.rests = AtLeast()

    def share(self, amount: int) -> tuple[int, MaskCell]:
        """The level of a requested amount, and the nodes whose rests make it carry."""
        level, rest = divmod(amount * FULL, self.total)
        rests = ((bit, gauge.rest) for gauge, bit in self.gauges.items())
        return level, self.rests.watch(self.total - rest, rests)


class Scale:
    """One resource of all nodes. Free is what one reservation may have, see `Rooms`."""

    __slots__ = ("_exact", "_gauges", "capacities", "free")

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._gauges: dict[Gauge, int] = {}
        self.capacities: dict[int, Capacity] = {}
        self.free = AtLeast()

    def add(self, gauge: Gauge, bit: int) -> None:
        """A node has come."""
        self._gauges[gauge] = bit
        gauge.followed = gauge.used
        gauge.free = self._one_may_have(gauge)
        self.free.toggle(bit, gauge.free)
        if gauge.total <= 0:
            return  # it scores for no request
        capacity = self.capacities.get(gauge.total)
        if capacity is None:
            capacity = self.capacities[gauge.total] = Capacity(gauge.total)
        gauge.capacity = capacity
        gauge.level, gauge.rest = divmod(gauge.used * FULL, gauge.total)
        capacity.gauges[gauge] = bit
        capacity.rests.toggle(bit, gauge.rest)

    def remove(self, gauge: Gauge, bit: int) -> None:
        """A node has gone, or its total is about to change."""
        del self._gauges[gauge]
        self.free.toggle(bit, gauge.free)
        capacity = gauge.capacity
        if capacity is None:
            return
        gauge.capacity = None
        capacity.rests.toggle(bit, gauge.rest)
        del capacity.gauges[gauge]
        if not capacity.gauges:
            del self.capacities[capacity.total]

    def follow(self, gauge: Gauge, bit: int) -> None:
        """A node may have reserved more or less than before."""
        used, total = gauge.used, gauge.total
        if used == gauge.followed:
            return
        gauge.followed = used
        before, free = gauge.free, total - used if self._exact else self._one_may_have(gauge)
        gauge.free = free
        plenty = self.free.highest
        if before < plenty or free < plenty:
            self.free.moved(bit, before, free)
        capacity = gauge.capacity
        if capacity is not None:
            gauge.level, rest = divmod(used * FULL, total)
            capacity.rests.moved(bit, gauge.rest, rest)
            gauge.rest = rest

    def having(self, amount: int) -> int:
        """The nodes that have so much free."""
        cell = self.free.get(amount)
        if cell is None:
            if len(self.free) >= SIZES_KEPT:
                self.free.forget()
            cell = self.free.watch(amount, ((bit, gauge.free) for gauge, bit in self._gauges.items()))
        return cell[0]

    def left(self, gauge: Gauge) -> int:
        """What may yet be reserved: exactly, or until the truncated score exceeds 100."""
        if self._exact:
            return gauge.total - gauge.used
        return ((FULL + 1) * gauge.total - 1) // FULL - gauge.used

    def forget(self) -> None:
        """Forget the amounts that were requested."""
        for capacity in self.capacities.values():
            capacity.rests.forget()

    def _one_may_have(self, gauge: Gauge) -> int:
        """Classic Swarm's score never gives one request more than the whole node."""
        return self.left(gauge) if self._exact else min(self.left(gauge), gauge.total)
