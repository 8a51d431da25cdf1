"""What the operator wants of a pool, and how full a pool is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from swarmkeeper.domain.model import NO_RESOURCES, Node, Pool, Resources
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom, spares_beyond, spares_of
from swarmkeeper.domain.scaling.demand import NO_HEADROOM, Headroom
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.spare import Spare
from swarmkeeper.domain.scaling.state import ScalingState

THRESHOLD_PRECISION = 10**6  # thresholds are decimals from a file: 0.8 must mean 4/5, not its nearest float


@dataclass(frozen=True, slots=True)
class Consolidation:
    """When several half-empty nodes are emptied into others: once that frees `min_gain` at least.

    In price per hour where the pool has a price, in nodes where it has none.
    """

    min_gain: float


@dataclass(frozen=True, slots=True)
class Policy:
    """Scaling as configured, with how containers will be placed.

    Shares are 0 to 1; a pool is kept below `reserved_high`, unless that is 1 or more.
    """

    options: PlacementOptions
    reserved_high: float = 0.8
    reserved_low: float = 0.3
    headroom: Headroom = NO_HEADROOM
    limits: Limits = field(default_factory=Limits)
    consolidation: Consolidation | None = None
    """Whether nodes that are not under-used are emptied together too; None for never."""
    max_node_age_s: float | None = None
    """Nodes older than this are replaced once all they hold can be moved; None for never."""
    max_lifetime_s: float | None = None
    """Nodes older than this are replaced whatever they hold; None for never."""
    image_id: str | None = None
    """The machine image that nodes shall have; those of another are replaced. None when any will do."""
    arrival_headroom: ArrivalHeadroom | None = None
    """How much room is kept free for what has lately arrived within one boot time; None for none."""

    @property
    def has_high(self) -> bool:
        """Whether the reserved share has an upper bound at all."""
        return self.reserved_high < 1

    def spares(self, pool: Pool, state: ScalingState, *, beyond: bool = False) -> tuple[Spare, ...]:
        """The room that the pool keeps free; `beyond` with what must be left of it before a node may go."""
        spares = [self.headroom.spare(pool)]
        if self.arrival_headroom is not None:
            following = self.arrival_headroom
            kept = spares_of(state.arrivals, following)
            spares += spares_beyond(kept, pool, following.spare_nodes) if beyond else kept
        return tuple(each for each in spares if each.count)


@dataclass(frozen=True, slots=True)
class Usage:
    """Totals over some nodes; `slots` is None when any of them has no limit."""

    reserved: Resources = NO_RESOURCES
    capacity: Resources = NO_RESOURCES
    containers: int = 0
    slots: int | None = 0

    @property
    def dimensions(self) -> tuple[tuple[int, int], ...]:
        """(used, total) of CPU, memory and, where limited, slots."""
        pairs = (
            (self.reserved.nano_cpus, self.capacity.nano_cpus),
            (self.reserved.memory_bytes, self.capacity.memory_bytes),
        )
        return pairs if self.slots is None else (*pairs, (self.containers, self.slots))

    @property
    def share(self) -> float:
        """How much of the scarcest dimension is reserved; 0 where nothing is, 1 where there is no capacity."""
        return max((used / total if total > 0 else 1.0 for used, total in self.dimensions if used > 0), default=0.0)

    def nodes_to_get_below(self, share: float, pool: Pool) -> int:
        """How many empty nodes of the pool bring every dimension that they widen below the share."""
        wanted = Fraction(share).limit_denominator(THRESHOLD_PRECISION)
        widths = (pool.node_capacity.nano_cpus, pool.node_capacity.memory_bytes, pool.slots or 0)
        return max(
            (
                # used < share * (total + n * width)
                max(0, (Fraction(used) / wanted - total) // width + 1)
                for (used, total), width in zip(self.dimensions, widths, strict=False)
                if used > 0 and width > 0
            ),
            default=0,
        )


def usage(nodes: Iterable[Node]) -> Usage:
    """Totals over the nodes."""
    reserved, capacity, containers = Resources(), Resources(), 0
    slots: int | None = 0
    for node in nodes:
        reserved, capacity = reserved + node.reserved, capacity + node.capacity
        containers += node.containers
        slots = None if slots is None or node.slots is None else slots + node.slots
    return Usage(reserved, capacity, containers, slots)


def reserved_share(nodes: Sequence[Node]) -> float:
    """How much of the nodes' scarcest dimension (CPU, memory, slots where limited) is reserved, 0 to 1."""
    return usage(nodes).share
