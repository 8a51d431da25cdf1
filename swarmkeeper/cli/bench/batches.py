"""Batches of requests alike, measured and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter_ns, process_time_ns

from swarmkeeper.cli.bench.churn import Measured
from swarmkeeper.cli.bench.crowd import Crowd
from swarmkeeper.domain.model import ContainerName, Request, Resources
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.index import Choice, ClusterIndex
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.wish import wish_of

SIZE = Resources(5 * 10**8, 2**29)
"""Half a CPU and 512 MiB."""


def alike(crowd: Crowd, number: int) -> list[Request]:
    """Requests that differ by name only."""
    first = crowd.arrival(reservation=SIZE).request
    return [replace(first, name=ContainerName(f"batch-{each}")) for each in range(number)]


def measure_batches(
    fleet: Sequence[NodeFacts], batch: Sequence[Request], options: PlacementOptions, rounds: int
) -> Measured:
    """Place the batch so many times, each on the same fleet, and once one by one to compare."""
    index = ClusterIndex(options)
    for node in fleet:
        index.put(node)
    measured = Measured()
    expected = [_place_one(index, request, options) for request in batch]
    _take_back(index, batch, expected)
    for _ in range(rounds):
        cpu, began = process_time_ns(), perf_counter_ns()
        choices = index.place_many(batch)
        measured.wall_ns += perf_counter_ns() - began
        measured.cpu_ns += process_time_ns() - cpu
        pairs = zip(choices, expected, strict=True)
        measured.checked += len(choices)
        measured.mismatched += sum(ours.node_id != theirs.node_id for ours, theirs in pairs)
        measured.failed += sum(choice.node_id is None for choice in choices)
        _take_back(index, batch, choices)
    return measured


def _place_one(index: ClusterIndex, request: Request, options: PlacementOptions) -> Choice:
    choice = index.choose(wish_of(request, options))
    if choice.node_id is not None:
        index.hold(choice.node_id, occupant_of(request))
    return choice


def _take_back(index: ClusterIndex, batch: Sequence[Request], choices: Sequence[Choice]) -> None:
    for request, choice in zip(batch, choices, strict=True):
        if choice.node_id is not None:
            index.drop(choice.node_id, request.name)
