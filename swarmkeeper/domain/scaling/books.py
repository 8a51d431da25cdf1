"""What a pool's nodes offer and hold together, kept as they change."""

from __future__ import annotations

from collections.abc import Sequence

from swarmkeeper.domain.model import Node, Pool, Resources
from swarmkeeper.domain.scaling.policy import Usage
from swarmkeeper.domain.scaling.spare import Spare


class Book:
    """Totals over the nodes of one pool that placement may count on."""

    def __init__(self, spares: Sequence[Spare] = ()) -> None:
        self.nodes = 0
        self._spares = tuple(spares)
        self._pieces = [0] * len(self._spares)
        self._nano_cpus = self._memory = self._containers = 0
        self._nano_cpus_total = self._memory_total = self._slots = self._unlimited = 0

    def enter(self, node: Node) -> None:
        """Count the node."""
        self._count(node, +1)

    def strike(self, node: Node) -> None:
        """Count the node no more, as it was when it was entered."""
        self._count(node, -1)

    @property
    def usage(self) -> Usage:
        return Usage(
            Resources(self._nano_cpus, self._memory),
            Resources(self._nano_cpus_total, self._memory_total),
            self._containers,
            None if self._unlimited else self._slots,
        )

    @property
    def keeps_spares(self) -> bool:
        """Whether all the room that is to be kept free is there."""
        return all(pieces >= spare.count for pieces, spare in zip(self._pieces, self._spares, strict=True))

    def nodes_for_spares(self, empty: Node) -> int:
        """How many more nodes like the empty one give the room that is to be kept free; none where they can't."""
        missing = [
            (spare.count - pieces, spare.on(empty)) for pieces, spare in zip(self._pieces, self._spares, strict=True)
        ]
        return max((-(-short // each) for short, each in missing if short > 0 and each > 0), default=0)

    def nodes_to_get_below(self, share: float, pool: Pool, more: int) -> int:
        """How many empty nodes besides `more` others bring what is reserved below the share."""
        return max(0, self.usage.nodes_to_get_below(share, pool) - more)

    def _count(self, node: Node, sign: int) -> None:
        self.nodes += sign
        self._nano_cpus += sign * node.reserved.nano_cpus
        self._memory += sign * node.reserved.memory_bytes
        self._containers += sign * node.containers
        self._nano_cpus_total += sign * node.capacity.nano_cpus
        self._memory_total += sign * node.capacity.memory_bytes
        if node.slots is None:
            self._unlimited += sign
        else:
            self._slots += sign * node.slots
        for at, spare in enumerate(self._spares):
            self._pieces[at] += sign * spare.on(node)
