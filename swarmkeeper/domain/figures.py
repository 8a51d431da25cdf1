"""What the control plane measures of the fleet, each minute."""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.model import NO_RESOURCES, PoolName, Resources


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """A pool's nodes in service; `reserved_share` is 0 to 1, None while there are none.

    `reserved` is what their containers hold, `offered` what they offer for reservations, all together.
    """

    pool: PoolName
    ready_nodes: int
    containers: int
    reserved_share: float | None
    has_failed: bool = False
    """Too many launches in a row were abandoned; the pool is not grown."""
    silent_nodes: int = 0
    """Suspected or lost ones."""
    reserved: Resources = NO_RESOURCES
    offered: Resources = NO_RESOURCES


@dataclass(frozen=True, slots=True)
class FleetFigures:
    """What a tick measured."""

    pending: int
    oldest_pending_s: float
    pools: tuple[PoolFigures, ...]
