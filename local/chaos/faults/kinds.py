"""What every kind of fault gives."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from local.chaos.healing import Healing
from local.chaos.plan import Planned
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage


def nothing() -> None:
    """What to do about a fault that can't be undone."""


def at_once() -> bool:
    """The fault has hit when it has begun."""
    return True


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault, ready to be made. `begin` and `end` may take seconds, and raise MachineError when a node is gone."""

    target: str
    begin: Callable[[], None]
    healing: Callable[[Snapshot, Collection[str]], Healing]
    """How to tell that it has healed, from what is seen when it has passed and which nodes are hit by then."""
    end: Callable[[], None] = nothing
    lasts_s: float = 0.0
    """How long it lasts; for one that strikes once, how long it waits for that."""
    has_struck: Callable[[], bool] = at_once
    """Whether it has hit anything yet; the time to heal begins there."""
    is_over: Callable[[], bool] | None = None
    """Whether it has passed by itself before its time."""
    hits_node: bool = False
    """Whether the target is a node that is left alone until it has healed."""


Injector: TypeAlias = Callable[[Stage, Planned, Snapshot, Collection[str]], "Injected | None"]
"""Makes a fault of a plan, from what is seen and which nodes are hit already; None while there is nobody to hit."""
