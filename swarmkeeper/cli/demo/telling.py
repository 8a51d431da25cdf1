"""What the demo says at the end: how long each stretch took, what caused what, and whether limits held."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swarmkeeper.cli.demo import chain
from swarmkeeper.cli.demo.stage import Stage

STRETCHES = (
    ("request", "alarm"),
    ("alarm", "decision"),
    ("decision", "instance"),
    ("instance", "node_ready"),
    ("node_ready", "first_placed"),
    ("request", "first_placed"),
    ("removal", "draining"),
    ("draining", "terminate_hook"),
    ("terminate_hook", "terminated"),
)
JOIN_LINKS = frozenset({"alarm", "sns", "decision", "hook", "signing", "join", "ready"})
LEAVE_LINKS = frozenset({"decision", "draining", "hook", "leave", "terminated"})


def tell_causes(stage: Stage) -> None:
    """Put times and chains of events on the record, and check that no link is missing."""
    events, calls, decisions = stage.watcher.view.events, stage.told("calls"), stage.told("decisions")
    start = stage.requested_at
    joins = [chain.join_chain(node, events, calls, decisions, after=start) for node in stage.joined]
    leaves = [chain.leave_chain(node, events, decisions) for node in stage.left]
    stage.record.notes["decisions"] = decisions
    stage.record.chains = [{"kind": "joined", **one} for one in joins] + [{"kind": "left", **one} for one in leaves]
    _check_links(stage, "at least one node joined through its launch hook, from the alarm on", joins, JOIN_LINKS)
    _check_links(stage, "at least one node left through its terminate hook", leaves, LEAVE_LINKS)
    if joins and leaves:
        served = first_served(joins, stage.watcher.first_running_on)
        stage.record.times |= stretches(marks(stage, served, leaves[0]))
    missing = [_stretch(*ends) for ends in STRETCHES if _stretch(*ends) not in stage.record.times]
    stage.record.check("every stretch of the loop was measured", not missing, f"missing: {missing or 'none'}")


def first_served(
    joins: Sequence[Mapping[str, Any]], first_running_on: Callable[[str], float | None]
) -> Mapping[str, Any]:
    """The chain of the new node that was first seen to run a container.

    Of several nodes that were bought at once one may stay empty, as headroom: it has no such moment to be told.
    """
    seen = [(first_running_on(str(join["node"])), join) for join in joins]
    return min(seen, key=lambda one: math.inf if one[0] is None else one[0])[1]


def _check_links(stage: Stage, name: str, chains: list[dict[str, object]], links: frozenset[str]) -> None:
    missing = {str(one["node"]): sorted(links - set(one)) for one in chains}
    whole = [node for node, lacking in missing.items() if not lacking]
    stage.record.check(name, bool(whole) and len(whole) == len(chains), f"nodes and links that are missing: {missing}")


def marks(stage: Stage, join: Mapping[str, Any], leave: Mapping[str, Any]) -> dict[str, float | None]:
    """When each thing happened; None where it was not seen."""
    return {
        "request": stage.requested_at,
        "alarm": _when(join, "alarm"),
        "decision": _when(join, "decision"),
        "instance": _when(join, "hook"),
        "node_ready": _when(join, "ready"),
        "first_placed": stage.watcher.first_running_on(str(join["node"])),
        "removal": stage.removed_at,
        "draining": _when(leave, "draining"),
        "terminate_hook": _when(leave, "hook"),
        "terminated": _when(leave, "terminated"),
    }


def _when(links: Mapping[str, Any], name: str) -> float | None:
    link = links.get(name)
    return None if link is None else float(link["t"])


def stretches(moments: Mapping[str, float | None]) -> dict[str, float]:
    """Seconds from each cause to its effect; one whose ends were not both seen is left out."""
    times = {}
    for start, end in STRETCHES:
        begun, ended = moments[start], moments[end]
        if begun is not None and ended is not None:
            # An effect never comes before its cause, but two clocks of one machine are read a moment apart. And a
            # node takes containers from its record's state on, which is stored before the event that tells of it.
            times[_stretch(start, end)] = max(0.0, round(ended - begun, 3))
    return times


def _stretch(start: str, end: str) -> str:
    return f"{start}_to_{end}"


def check_limits(stage: Stage) -> None:
    """Check that no group was ever asked for less than its minimum or more than its maximum."""
    limits = {f"{stage.fleet.name}-{name}": (pool.min, pool.max) for name, pool in stage.settings.pools.items()}
    seen = stage.watcher.desired_range()
    inside = all(limits[group][0] <= low and high <= limits[group][1] for group, (low, high) in seen.items())
    told = "; ".join(f"{group} {low} to {high}" for group, (low, high) in seen.items())
    stage.record.check("desired capacity stays within min and max", inside, told)
