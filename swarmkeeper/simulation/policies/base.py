"""What a policy is to the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from swarmkeeper.domain.model import NodeId
from swarmkeeper.simulation.fleet import Fleet
from swarmkeeper.simulation.waiting import Waiting
from swarmkeeper.simulation.workload import Job


@dataclass(frozen=True, slots=True)
class Change:
    """Nodes to buy, and empty ones to remove."""

    buy: int = 0
    remove: tuple[NodeId, ...] = ()


NO_CHANGE = Change()


class Policy(Protocol):
    """Decides every `every_s` seconds; it is told of every job that comes, whether it waits or not, and that ends."""

    every_s: float

    def arrived(self, job: Job) -> None: ...

    def ended(self, job: Job) -> None: ...

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change: ...


class Unmoved:
    """For policies that don't look at single jobs."""

    def arrived(self, job: Job) -> None:
        """Nothing is remembered."""

    def ended(self, job: Job) -> None:
        """Nothing is remembered."""


def youngest(fleet: Fleet, count: int) -> tuple[NodeId, ...]:
    """So many empty nodes, those bought last first."""
    return tuple(sorted(fleet.empty, reverse=True)[:count]) if count > 0 else ()
