"""The reconciler at fleet size: a tick with the inventories that it asks for, and a table made anew."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from swarmkeeper.adapters.engine.create_body import create_body
from swarmkeeper.cli.bench.figures import machine, tell
from swarmkeeper.cli.bench.fleet_parts import FLEET, IMAGE, INSTANCE_TYPE, NETWORK, a_body
from swarmkeeper.cli.bench.reconcile_parts import REBUILD_S, Function, new_function
from swarmkeeper.cli.output import notice
from swarmkeeper.edge.requests import Admission
from swarmkeeper.services.rebuild import FoundNode

if TYPE_CHECKING:
    from local.machines.simulated_fleet import Held, Running, SimulatedFleet

T = TypeVar("T")
INVENTORIES_AT_ONCE = 8
A_MESSAGE = 500
"""Containers that are handed to the engines' process at once."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took; `cpu_s` is this process's, the engines have one of their own."""

    wall_s: float
    cpu_s: float
    rss_mb: float
    """The most memory that this process has held so far."""


def reconcile(
    engines: Annotated[int, typer.Option(min=1, max=5_000, help="Simulated engines, all in one process.")] = 1_000,
    containers: Annotated[int, typer.Option(min=0, max=60, help="Containers that each engine runs.")] = 10,
    latency_ms: Annotated[float, typer.Option(min=0, help="What each call takes an engine.")] = 5.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write the figures to a file as well.")] = None,
) -> None:
    """Rebuild an empty table from simulated engines over mutual TLS, rebuild it again, and run a tick.

    The table is in memory. Exits 1 unless every container is recorded, and nothing is found amiss after that.
    """
    from local.machines.simulated_fleet import SimulatedFleet, Wanted  # the engines come with the local cloud only

    wanted = Wanted(engines, INSTANCE_TYPE, (IMAGE,), NETWORK, latency_ms / 1000)
    with SimulatedFleet(wanted) as machines:
        notice(f"starting {engines} engines")
        running = machines.running()
        os.environ["HTTPS_PROXY"], os.environ["NO_PROXY"] = running.proxy_url, running.not_proxied
        notice(f"starting {engines * containers} containers")
        _hold(machines, running, containers)
        function = new_function(running)
        notice("rebuilding the table")
        (calls_s, found), rebuilt = _measured(lambda: _rebuilt(function))
        (_, again), repeated = _measured(lambda: _rebuilt(function))
        notice("running a tick")
        inventories, tick = _measured(lambda: _tick(function))
    figures = {
        "engines": engines,
        "containers": engines * containers,
        "latency_ms": latency_ms,
        "tick": _of(tick) | {"inventories": inventories},
        "rebuild": _of(rebuilt) | {"calls": len(calls_s), "longest_call_s": max(calls_s), "found": _counted(found)},
        "rebuild_again": _of(repeated) | {"found": _counted(again)},
        **machine(),
    }
    tell(figures, as_json=json, output=out)
    if _counted(found) != {"rebuilt": engines * (containers + 1) + 1} or set(_counted(again)) != {"already there"}:
        raise typer.Exit(1)


def _hold(machines: SimulatedFleet, running: Running, containers: int) -> None:
    """Let the engines run what the fleet has had made, of sixteen sizes."""
    from local.machines.simulated_fleet import Held

    admission = Admission(NETWORK, 2**28)
    held: list[Held] = []
    for place, (instance_id, _) in enumerate(running.workers):
        for number in range(place * containers, (place + 1) * containers):
            request = admission.admit(a_body(number))
            held.append(Held(instance_id, request.name, create_body(request, fleet=FLEET)))
    for start in range(0, len(held), A_MESSAGE):
        machines.hold(held[start : start + A_MESSAGE])
    machines.look()


def _rebuilt(function: Function) -> tuple[list[float], list[FoundNode]]:
    """All shards; returns the seconds that each call took, and what they found."""
    found: list[FoundNode] = []
    calls_s: list[float] = []
    after = ""
    while not calls_s or after:
        begun = time.perf_counter()
        answer = function.rebuild.run(after=after, until=time.time() + REBUILD_S)
        calls_s.append(time.perf_counter() - begun)
        found += answer.nodes
        after = answer.follows
    return calls_s, found


def _tick(function: Function) -> int:
    """What the schedule has done each minute; returns how many nodes' engines were compared with the table."""
    function.reconciler.measure()
    nudges = function.reconciler.nudge()
    with ThreadPoolExecutor(INVENTORIES_AT_ONCE) as workers:
        return len(list(workers.map(function.inventory.check, nudges.inventories)))


def _measured(act: Callable[[], T]) -> tuple[T, Cost]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = act()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return done, Cost(time.perf_counter() - wall, time.process_time() - cpu, peak)


def _of(cost: Cost) -> dict[str, object]:
    return {"wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "rss_mb": cost.rss_mb}


def _counted(found: list[FoundNode]) -> dict[str, int]:
    nodes = Counter(str(node.finding) for node in found)
    containers = Counter(str(each.finding) for node in found for each in node.containers)
    return dict(nodes + containers)
