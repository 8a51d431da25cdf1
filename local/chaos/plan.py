"""Which faults come when, drawn from a seed alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

LASTS_S = (4.0, 40.0)
"""How long a fault lasts that passes by itself, at least and at most: shorter and longer than a node's grace."""
STEPS = 10
"""A function is killed or held up at one of so many of its calls of AWS, counted from the fault's beginning."""


class Kind(StrEnum):
    """What can go wrong."""

    ENGINE_KILLED = "engine-killed"
    """kill -9 of the engine; its instance runs on, and so do the containers' processes."""
    ENGINE_STOPPED = "engine-stopped"
    """The engine is stopped, with all that runs on it, and started again."""
    MANAGER_KILLED = "manager-killed"
    """kill -9 of a manager's engine, the leader's too; its instance runs on."""
    PARTED = "parted"
    """The node hears nobody and nobody hears it; it heals."""
    PARTED_FROM_FUNCTIONS = "parted-from-functions"
    """The functions don't reach the engine, the managers do; it heals."""
    PARTED_FROM_MANAGERS = "parted-from-managers"
    """The managers don't hear the node, the functions do; it heals."""
    TERMINATED = "terminated-by-hand"
    """Its instance is terminated through EC2, behind the group's back."""
    TERMINATED_EARLY = "terminated-before-join"
    """An instance is terminated through EC2 before it has joined."""
    DISK_FULL = "disk-full"
    """The engine refuses to create containers for a while."""
    OUT_OF_MEMORY = "out-of-memory"
    """The engine refuses to start containers for a while."""
    FUNCTION_KILLED = "function-killed"
    """A function's process ends before one of its calls of AWS, or between a call's effect and its answer."""
    FUNCTION_TIMED_OUT = "function-timed-out"
    """A function gets no answer from there on, until its time is up; the call has had its effect, or not."""
    THROTTLED = "calls-throttled"
    """Half of the functions' calls of one AWS service are throttled for a while."""
    SERVER_ERRORS = "calls-failed"
    """Half of the functions' calls of one AWS service are answered with an internal error."""
    EVENTS_LOST = "events-lost"
    EVENTS_DOUBLED = "events-doubled"
    EVENTS_LATE = "events-late"
    """By up to ten seconds, each by its own time: so out of order too."""
    COMMAND_LOST = "command-lost"
    """The next Run Command never reaches its agent."""
    COMMANDS_SLOW = "commands-slow"
    """Run Commands reach their agents ten seconds late for a while."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault to come."""

    number: int
    kind: Kind
    at_s: float
    """From the beginning of the faults."""
    target: float
    """0 to 1: which of those that it can hit, in their order."""
    lasts_s: float
    step: int
    late: bool
    """Whether a function's call has had its effect when it is interrupted."""

    def choice(self, candidates: Sequence[str]) -> str:
        """One of the candidates, by their order. Raises IndexError when there are none."""
        ordered = sorted(candidates)
        return ordered[min(int(self.target * len(ordered)), len(ordered) - 1)]


def draw(seed: int, faults: int, *, mean_gap_s: float, kinds: Sequence[Kind]) -> tuple[Planned, ...]:
    """The faults of a seed: exponential gaps, and each kind once before any comes again."""
    dice = random.Random(seed)  # noqa: S311  guards no secret
    planned: list[Planned] = []
    at_s, deck = 0.0, list[Kind]()
    for number in range(1, faults + 1):
        if not deck:
            deck = list(kinds)
            dice.shuffle(deck)
        at_s += dice.expovariate(1.0 / mean_gap_s)
        planned.append(
            Planned(
                number=number,
                kind=deck.pop(),
                at_s=at_s,
                target=dice.random(),
                lasts_s=dice.uniform(*LASTS_S),
                step=dice.randint(1, STEPS),
                late=dice.random() < 0.5,
            )
        )
    return tuple(planned)
