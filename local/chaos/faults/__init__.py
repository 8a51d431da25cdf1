"""The kinds of faults, a module a family: each says whom it hits, does it, undoes it, and knows when it has healed."""

from __future__ import annotations

from collections.abc import Mapping

from local.chaos.faults import calls, commands, deliveries, functions, nodes
from local.chaos.faults.kinds import Injector
from local.chaos.plan import Kind

INJECTORS: Mapping[Kind, Injector] = {
    **nodes.INJECTORS,
    **functions.INJECTORS,
    **calls.INJECTORS,
    **deliveries.INJECTORS,
    **commands.INJECTORS,
}

LEFT_OUT: Mapping[str, str] = {
    "manager loss": "the profile has one manager, and its loss is not one that a fleet survives by itself",
    "a clock that jumps in a function": "the functions' clock has no seam; Lambda keeps it in step",
}
"""What is never injected, and why."""
SIMULATED_ONLY: Mapping[Kind, str] = {
    Kind.DISK_FULL: "filling a real engine's disk would fill this machine's",
    Kind.OUT_OF_MEMORY: "memory taken on a real node is this machine's",
}


def kinds_for(engines: str) -> tuple[Kind, ...]:
    """What can be injected into engines of that kind, in the order in which kinds are declared."""
    return tuple(kind for kind in Kind if engines == "simulated" or kind not in SIMULATED_ONLY)


def left_out(engines: str) -> dict[str, str]:
    """What is not injected into engines of that kind, and why."""
    return {**LEFT_OUT, **({} if engines == "simulated" else {str(kind): why for kind, why in SIMULATED_ONLY.items()})}
