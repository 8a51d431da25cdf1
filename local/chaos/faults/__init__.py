"""The kinds of faults, a module a family: each says whom it hits, does it, undoes it, and knows when it has healed."""

from __future__ import annotations

from collections.abc import Mapping

from local.chaos.faults import calls, commands, deliveries, functions, nodes
from local.chaos.faults.kinds import Injector
from local.chaos.plan import Kind
from local.chaos.stage import QUORUM_BEARS_ONE

INJECTORS: Mapping[Kind, Injector] = {
    **nodes.INJECTORS,
    **functions.INJECTORS,
    **calls.INJECTORS,
    **deliveries.INJECTORS,
    **commands.INJECTORS,
}

LEFT_OUT: Mapping[str, str] = {
    "a clock that jumps in a function": "the functions' clock has no seam; Lambda keeps it in step",
}
"""What is never injected, and why."""
SIMULATED_ONLY: Mapping[Kind, str] = {
    Kind.DISK_FULL: "filling a real engine's disk would fill this machine's",
    Kind.OUT_OF_MEMORY: "memory taken on a real node is this machine's",
}
ONLY_MANAGER = "a fleet doesn't survive the loss of its only manager by itself; --managers 3 has three"


def kinds_for(engines: str, managers: int) -> tuple[Kind, ...]:
    """What can be injected into engines of that kind, with so many managers, in the order of the declaration."""
    left = _left_out(engines, managers)
    return tuple(kind for kind in Kind if kind not in left)


def left_out(engines: str, managers: int) -> dict[str, str]:
    """What is not injected into engines of that kind with so many managers, and why."""
    return {**LEFT_OUT, **{str(kind): why for kind, why in _left_out(engines, managers).items()}}


def _left_out(engines: str, managers: int) -> dict[Kind, str]:
    real = {} if engines == "simulated" else SIMULATED_ONLY
    return {**real, **({Kind.MANAGER_KILLED: ONLY_MANAGER} if managers < QUORUM_BEARS_ONE else {})}
