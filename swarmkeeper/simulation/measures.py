"""What a run is judged by."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from swarmkeeper.simulation.fleet import SimulatedNode
from swarmkeeper.simulation.workload import Job

WAITED_S = 1.0
"""A job that waited longer than this waited."""
FLAP_S = 300.0
"""A node bought so soon after one was removed need not have been removed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The fleet at a moment: nodes paid, ready and empty, and jobs that wait."""

    at: float
    paid: int
    ready: int
    empty: int
    waiting: int


@dataclass(slots=True)
class Measures:
    """Counts from `since` until `until`; a job counts when it came in between, whenever it was placed."""

    since: float
    until: float
    node_s: float = 0.0
    bought: int = 0
    removed: int = 0
    failed: int = 0
    flaps: int = 0
    waits: list[float] = field(default_factory=list)
    early_waits: list[float] = field(default_factory=list)
    """Those of jobs that came before `since`."""
    samples: list[Sample] = field(default_factory=list)
    _sold: deque[float] = field(default_factory=deque)

    def placed(self, job: Job, now: float) -> None:
        """A job has found room, or the run is over."""
        (self.waits if job.at >= self.since else self.early_waits).append(now - job.at)

    def was_bought(self, now: float) -> None:
        """A node was bought."""
        if now < self.since:
            return
        self.bought += 1
        while self._sold and now - self._sold[0] > FLAP_S:
            self._sold.popleft()
        if self._sold:
            self._sold.popleft()
            self.flaps += 1

    def was_removed(self, node: SimulatedNode, now: float) -> None:
        """A node was ended."""
        self.paid(node, now)
        if now >= self.since:
            self.removed += 1
            self._sold.append(now)

    def paid(self, node: SimulatedNode, until: float) -> None:
        """A node was paid until now."""
        self.node_s += max(0.0, until - max(node.bought_at, self.since))


def percentile(waits: list[float], percent: float) -> float:
    """What so many percent of the waits don't exceed, by nearest rank; 0 of none. Sorts the list."""
    if not waits:
        return 0.0
    waits.sort()
    rank = -(-len(waits) * percent // 100)
    return waits[max(int(rank), 1) - 1]


def waited_share(waits: list[float]) -> float:
    """The share of the waits that are longer than a second, 0 to 1."""
    return sum(1 for each in waits if each > WAITED_S) / len(waits) if waits else 0.0
