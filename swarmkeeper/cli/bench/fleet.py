"""The whole path at fleet size: HTTP API, decision, reservation and engines over TLS, which are slow and fail."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Annotated

import typer

from swarmkeeper.cli.bench.figures import machine, percentile, tell
from swarmkeeper.cli.bench.fleet_parts import IMAGE, INSTANCE_TYPE, NETWORK, Function, a_body, new_functions
from swarmkeeper.cli.output import notice
from swarmkeeper.domain.model import NO_RESOURCES, ContainerState

ROUNDS = 20
"""Minutes of the schedule that everything may take to heal; they pass at once, on a clock that is put on."""


@dataclass(slots=True)
class Tally:
    """What the callers saw: answers by status, and how long each took."""

    statuses: dict[int, int] = field(default_factory=dict)
    took_s: list[float] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def add(self, status: int, took_s: float) -> None:
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.took_s.append(took_s)


def fleet(
    engines: Annotated[int, typer.Option(min=1, max=5_000, help="Simulated engines, all in one process.")] = 1_000,
    requests: Annotated[int, typer.Option(min=1, help="Containers to create.")] = 2_000,
    workers: Annotated[int, typer.Option(min=1, help="Requests under way at any time.")] = 32,
    environments: Annotated[int, typer.Option(min=1, help="Functions, each with a view of its own.")] = 4,
    latency_ms: Annotated[float, typer.Option(min=0, help="What create, start and remove take an engine.")] = 50.0,
    failure_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of those calls that fail somehow.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Of the failures.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write the figures to a file as well.")] = None,
) -> None:
    """Create containers through the HTTP API's code on simulated engines over mutual TLS, and heal what failed.

    A failing call is refused by its engine, or its connection breaks before or after it was done. The table is in
    memory. At the end the engines themselves are asked what they hold.
    """
    from local.machines.simulated_fleet import SimulatedFleet, Wanted  # the engines come with the local cloud only

    wanted = Wanted(engines, INSTANCE_TYPE, (IMAGE,), NETWORK, latency_ms / 1000, failure_rate, seed)
    with SimulatedFleet(wanted) as machines:
        begun = time.perf_counter()
        notice(f"starting {engines} engines")
        running = machines.running()
        started_s = time.perf_counter() - begun
        functions = new_functions(running, environments)
        notice(f"creating {requests} containers")
        tally, took_s = _create_all(functions, requests, workers)
        unsettled = len(functions[0].store.unsettled(now=10.0**12)) + len(functions[0].store.pending())
        machines.calm()
        rounds = _heal(functions[0])
        seen = machines.look()
    containers = {each.name: each for each in functions[0].store.containers()}
    agreed = [
        name
        for name, each in containers.items()
        if each.state is ContainerState.RUNNING and seen.running.get(name) == [each.node]
    ]
    figures = {
        "engines": engines,
        "requests": requests,
        "workers": workers,
        "environments": environments,
        "latency_ms": latency_ms,
        "failure_rate": failure_rate,
        "engines_started_s": started_s,
        "creates_per_s": requests / took_s,
        "p50_ms": percentile(sorted(tally.took_s), 50) * 1000,
        "p99_ms": percentile(sorted(tally.took_s), 99) * 1000,
        "answers": {str(status): count for status, count in sorted(tally.statuses.items())},
        "failures": sum(seen.met.values()),
        "failures_by_kind": seen.met,
        "unfinished_at_first": unsettled,
        "healing_rounds": rounds,
        "accepted": len(containers),
        "running": len(agreed),
        "overcommitted": _overcommitted(functions[0]),
        "duplicates": sum(len(where) - 1 for where in seen.running.values()),
        "strays": len(seen.running.keys() - containers.keys()),
        "copies_left_behind": sum(map(len, seen.stopped.values())),
        **machine(),
    }
    tell(figures, as_json=json, output=out)
    if figures["running"] != requests or figures["overcommitted"] or figures["duplicates"] or figures["strays"]:
        raise typer.Exit(1)


def _create_all(functions: list[Function], requests: int, workers: int) -> tuple[Tally, float]:
    tally = Tally()

    def ask(number: int) -> None:
        function = functions[number % len(functions)]
        begun = time.perf_counter()
        status = function.create(a_body(number))
        tally.add(status, time.perf_counter() - begun)

    begun = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(ask, range(requests)))
    return tally, time.perf_counter() - begun


def _heal(function: Function) -> int:
    """Let the schedule's minutes pass until nothing stands still; returns how many it took."""
    for round_ in range(ROUNDS):
        if not function.stands_still():
            return round_
        function.minute()
    return ROUNDS


def _overcommitted(function: Function) -> int:
    """Nodes whose containers together want more than there is, by the containers themselves."""
    count = 0
    for node in function.store.nodes():
        held = function.store.containers_on(node.id)
        wanted = sum((each.request.reservation for each in held), NO_RESOURCES)
        too_many = node.slots is not None and len(held) > node.slots
        count += not wanted.fits_in(node.capacity) or too_many or node.reserved != wanted
    return count
