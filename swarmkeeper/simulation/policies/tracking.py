"""Target tracking as ECS capacity providers do it: nodes needed over nodes there, held at a target.

Needed are the nodes that have a container, and those that what waits would fill if it were cut to pieces: ECS too
takes a lower bound. One sample above the target adds nodes; fifteen in a row below it remove empty ones.
"""

from __future__ import annotations

from collections import deque
from math import ceil

from swarmkeeper.domain.model import Resources
from swarmkeeper.simulation.fleet import Fleet
from swarmkeeper.simulation.policies.base import NO_CHANGE, Change, Unmoved, youngest
from swarmkeeper.simulation.waiting import Waiting

OUT_SAMPLES = 1
IN_SAMPLES = 15


class TargetTracking(Unmoved):
    """`target` is a share above 0, at most 1. Samples are taken once a period."""

    def __init__(self, target: float, period_s: float) -> None:
        self.every_s = period_s
        self._target = target
        self._low: deque[bool] = deque(maxlen=IN_SAMPLES)

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        """Bring needed over there to the target, at once upwards, late downwards."""
        needed = len(fleet.ready) - len(fleet.empty) + _nodes_of(waiting, fleet.model.node)
        wanted = max(1, ceil(needed / self._target - 1e-9))
        self._low.append(needed < self._target * len(fleet) - 1e-9)
        if wanted > len(fleet):
            return Change(buy=wanted - len(fleet))
        if len(self._low) == IN_SAMPLES and all(self._low):
            return Change(remove=youngest(fleet, len(fleet) - wanted))
        return NO_CHANGE


def _nodes_of(waiting: Waiting, node: Resources) -> int:
    cpus = sum(job.reservation.nano_cpus for job in waiting)
    memory = sum(job.reservation.memory_bytes for job in waiting)
    return max(-(-cpus // node.nano_cpus), -(-memory // node.memory_bytes))
