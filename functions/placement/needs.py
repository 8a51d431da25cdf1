"""When placement asks the scaler for capacity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from swarmkeeper.domain.model import ContainerState, Role
from swarmkeeper.edge.settings import Settings
from swarmkeeper.errors import Conflict, Unavailable

logger = Logger()


@dataclass(frozen=True, slots=True)
class Needs:
    """`tell` publishes a need, seldom; `states` are those that a container comes to when one is told."""

    tell: Callable[[], bool]
    states: frozenset[ContainerState]

    def after(self, state: ContainerState) -> None:
        """Tell of a container that has come to this state; a need that can't be told never fails the request."""
        if state not in self.states:
            return
        try:
            self.tell()
        except (Conflict, Unavailable) as error:
            logger.warning("capacity need not told", extra={"error": str(error)})


def telling_states(settings: Settings) -> frozenset[ContainerState]:
    """Waiting, unless `capacity_events` is off; being placed too where a pool's headroom follows arrivals."""
    if not settings.scaling.capacity_events:
        return frozenset()
    follows = any(settings.scaling_of(pool).arrival_headroom for pool in settings.pools_of(Role.WORKER))
    placed = frozenset({ContainerState.RESERVED, ContainerState.RUNNING})
    return frozenset({ContainerState.PENDING}) | (placed if follows else frozenset())
