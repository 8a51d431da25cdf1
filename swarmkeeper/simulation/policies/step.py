"""Step scaling on the reserved share, as classic set-ups on CloudWatch alarms and EC2 Auto Scaling do."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil

from swarmkeeper.simulation.fleet import Fleet
from swarmkeeper.simulation.policies.base import NO_CHANGE, Change, Unmoved, youngest
from swarmkeeper.simulation.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Steps:
    """Shares are 0 to 1 of the present nodes; adjustments are shares of all nodes, rounded up to whole nodes."""

    high: float = 0.8
    grow: float = 0.1
    very_high: float = 0.9
    grow_more: float = 0.3
    high_for_s: float = 120.0
    low: float = 0.5
    shrink: float = 0.1
    low_for_s: float = 900.0
    cooldown_s: float = 300.0


class StepScaling(Unmoved):
    """Two alarms on samples of one period; only nodes that are empty are removed."""

    def __init__(self, period_s: float, steps: Steps | None = None) -> None:
        self.every_s = period_s
        self._steps = steps or Steps()
        self._samples: deque[float] = deque(maxlen=max(1, ceil(self._steps.low_for_s / period_s)))
        self._for_high = max(1, ceil(self._steps.high_for_s / period_s))
        self._acted_at = -self._steps.cooldown_s

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        """Take a sample, and act when an alarm is on and the cooldown over."""
        self._samples.append(fleet.reserved_share)
        if now < self._acted_at + self._steps.cooldown_s:
            return NO_CHANGE
        change = self._change(fleet)
        if change != NO_CHANGE:
            self._acted_at = now
        return change

    def _change(self, fleet: Fleet) -> Change:
        steps, latest = self._steps, list(self._samples)[-self._for_high :]
        if len(latest) == self._for_high and min(latest) > steps.high:
            share = steps.grow_more if latest[-1] > steps.very_high else steps.grow
            return Change(buy=_part(len(fleet), share))
        is_low = len(self._samples) == self._samples.maxlen and max(self._samples) < steps.low
        return (
            Change(remove=youngest(fleet, min(_part(len(fleet), steps.shrink), len(fleet) - 1)))
            if is_low
            else NO_CHANGE
        )


def _part(nodes: int, share: float) -> int:
    return max(1, ceil(nodes * share - 1e-9))
