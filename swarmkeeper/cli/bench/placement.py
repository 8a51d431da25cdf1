"""swarmkeeper bench placement, place-many: how fast decisions are."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Annotated

import typer

from swarmkeeper.cli.bench.batches import alike, measure_batches
from swarmkeeper.cli.bench.churn import CHECKED_EVERY, Churn
from swarmkeeper.cli.bench.crowd import SIZES, Crowd, drawn_sizes
from swarmkeeper.cli.bench.figures import Figures, machine, percentile, resident_mib, tell
from swarmkeeper.cli.bench.scenarios import Scenario, drawing, with_fresh_patterns
from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.edge.patterns import compile_re2

MANY = 500


class StrategyName(StrEnum):
    """How nodes are ranked."""

    SPREAD = "spread"
    BINPACK = "binpack"
    RANDOM = "random"
    BUSIEST = "busiest"


class SizesName(StrEnum):
    """Where the sizes of requests come from: `few` are 14 usual ones, `many` are 500 that nobody would choose."""

    FEW = "few"
    MANY = "many"


NodesOption = Annotated[int, typer.Option("--nodes", min=1, help="Nodes of the fleet.")]
ContainersOption = Annotated[int, typer.Option("--containers", min=1, help="Containers on each node at first.")]
StrategyOption = Annotated[StrategyName, typer.Option("--strategy", help="How nodes are ranked.")]
SizesOption = Annotated[SizesName, typer.Option("--sizes", help="14 usual sizes, or 500 random ones.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Decides everything that is drawn.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OutputOption = Annotated[Path | None, typer.Option("--output", help="Also write the JSON to this file.")]


def placement(
    nodes: NodesOption = 1000,
    containers: ContainersOption = 30,
    scenario: Annotated[Scenario, typer.Option("--scenario", help="What requests ask for beside room.")] = (
        Scenario.PLAIN
    ),
    strategy: StrategyOption = StrategyName.SPREAD,
    decisions: Annotated[int, typer.Option("--decisions", min=1, help="Requests to place.")] = 20_000,
    fresh_patterns: Annotated[
        bool, typer.Option("--fresh-patterns", help="Add an affinity to each request with a pattern never seen before.")
    ] = False,
    sizes: SizesOption = SizesName.FEW,
    seed: SeedOption = 1,
    json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Place one request after the other while as many containers leave; exit status 1 when a check fails.

    The time of a decision is that of parsing the request, choosing, adding the container and removing the one that
    leaves; `p50_us` and `p99_us` are of the wall clock, `p99_cpu_us` leaves out what others took of this machine. Every
    hundredth is also made by the plain scheduler, from values of its own and outside the time. `yardstick_us` is what
    a bare loop of a thousand rounds took of the CPU meanwhile: the machine's pace, for comparing runs.
    """
    if nodes * containers < 2:
        raise typer.BadParameter("a container leaves for each that comes, so there must be two at least")
    parameters = {"nodes": nodes, "containers": containers, "scenario": scenario.value, "strategy": strategy.value}
    parameters |= {"decisions": decisions, "sizes": sizes.value, "seed": seed}
    parameters |= {"fresh_patterns": fresh_patterns}
    random = Random(seed)  # noqa: S311  not for secrets
    amounts = _sizes(sizes, random)
    crowd = Crowd(seed, amounts)
    gc.collect()
    before_mib = resident_mib()
    churn = Churn(crowd.nodes(nodes, containers), crowd, _options(strategy), random)
    view_mib = resident_mib() - before_mib
    if fresh_patterns or scenario in (Scenario.AFFINITY, Scenario.MIXED):
        churn.index.prepare()  # as a fleet's view does when it has read what nodes hold
    draw = drawing(scenario)
    measured = churn.run(with_fresh_patterns(draw) if fresh_patterns else draw, decisions)
    each_us, each_cpu_us = _in_us(measured.each_ns), _in_us(measured.each_cpu_ns)
    cpu_us = measured.cpu_ns / 1000 / decisions
    figures: Figures = {
        **parameters,
        "distinct_sizes": len(amounts),
        "decisions_per_s": round(1e6 / cpu_us, 1),
        "decisions_per_wall_s": round(decisions * 1e9 / measured.wall_ns, 1),
        "cpu_us_per_decision": round(cpu_us, 2),
        "p50_us": round(percentile(each_us, 50), 2),
        "p99_us": round(percentile(each_us, 99), 2),
        "max_us": round(each_us[-1], 2),
        "p99_cpu_us": round(percentile(each_cpu_us, 99), 2),
        "yardstick_us": round(fmean(measured.yardsticks_ns) / 1000, 2),
        "view_mb": round(view_mib, 1),
        "rss_mb": round(resident_mib(), 1),
        "failed": measured.failed,
        "checked": measured.checked,
        "checked_every": CHECKED_EVERY,
        "mismatched": measured.mismatched,
        **machine(),
    }
    tell(figures, as_json=json, output=output)
    if measured.mismatched:
        raise typer.Exit(1)


def _in_us(each_ns: Sequence[int]) -> list[float]:
    return sorted(each / 1000 for each in each_ns)


def place_many(
    nodes: NodesOption = 1000,
    containers: ContainersOption = 30,
    requests: Annotated[int, typer.Option("--requests", min=1, help="Requests alike in a batch.")] = 2000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Batches; all is taken back after each.")] = 10,
    strategy: StrategyOption = StrategyName.SPREAD,
    seed: SeedOption = 1,
    json: JsonOption = False,
    output: OutputOption = None,
) -> None:
    """Place batches of requests alike; exit status 1 when one by one they would have gone elsewhere."""
    crowd = Crowd(seed, SIZES)
    fleet = crowd.nodes(nodes, containers)
    batch = alike(crowd, requests)
    measured = measure_batches(fleet, batch, _options(strategy), rounds)
    placed = requests * rounds
    cpu_us = measured.cpu_ns / 1000 / placed
    figures: Figures = {
        "nodes": nodes,
        "containers": containers,
        "requests": requests,
        "rounds": rounds,
        "seed": seed,
        "strategy": strategy.value,
        "decisions_per_s": round(1e6 / cpu_us, 1),
        "decisions_per_wall_s": round(placed * 1e9 / measured.wall_ns, 1),
        "cpu_us_per_decision": round(cpu_us, 2),
        "rss_mb": round(resident_mib(), 1),
        "failed": measured.failed,
        "checked": measured.checked,
        "mismatched": measured.mismatched,
        **machine(),
    }
    tell(figures, as_json=json, output=output)
    if measured.mismatched:
        raise typer.Exit(1)


def _options(strategy: StrategyName) -> PlacementOptions:
    """As a live fleet places by default."""
    return PlacementOptions(compile_re2, strategy.value)


def _sizes(sizes: SizesName, random: Random) -> Sequence[Resources]:
    return SIZES if sizes is SizesName.FEW else drawn_sizes(random, MANY)
