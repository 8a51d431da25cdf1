"""The sweep that draws the frontier of cost against waiting: each policy's own parameter, over its range."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from swarmkeeper.simulation.experiment import Profile, Result, Setup, run_policy
from swarmkeeper.simulation.named import OURS
from swarmkeeper.simulation.report.charts import colour_of

HEADROOM_PERCENTS = (0, 30, 60, 80, 100, 120, 160, 220)
TARGETS = (80, 85, 90, 95, 98, 100)
STRATEGIES = ("busiest", "binpack")
STRATEGY_COLOURS = {"busiest": colour_of(OURS), "binpack": "#2b8a3e"}
Sweep = tuple[str, str, Sequence[Result]]
Running = Callable[[str], AbstractContextManager[Callable[[float], None]]]


def sweeps(profile: Profile, setup: Setup, running: Running) -> tuple[Sweep, ...]:
    """Our headroom from none to twice what arrives, placed in two ways; the targets of tracking."""
    tracking = tuple(_run(f"tracking-{target}", profile, setup, running, "") for target in TARGETS)
    return (*_ours(profile, setup, running), ("tracking, 80 to 100", colour_of("tracking-95"), tracking))


def _ours(profile: Profile, setup: Setup, running: Running) -> Iterator[Sweep]:
    for strategy in STRATEGIES:
        results = []
        for percent in HEADROOM_PERCENTS:
            tried = replace(setup, strategy=strategy, headroom=replace(setup.headroom, percent=percent))
            results.append(_run(OURS, profile, tried, running, f" {strategy} {percent} %"))
        yield f"ours, {strategy}", STRATEGY_COLOURS[strategy], tuple(results)


def _run(name: str, profile: Profile, setup: Setup, running: Running, note: str) -> Result:
    with running(f"sweep {name}{note}") as progress:
        return run_policy(name, profile, setup, progress)
