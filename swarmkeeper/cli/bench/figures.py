"""Figures of a run: rates, percentiles and memory, printed or written as JSON."""

from __future__ import annotations

import json
import platform
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import process_time_ns

from rich.markup import escape
from rich.table import Table

from swarmkeeper.cli.output import print_json, result
from swarmkeeper.domain.placement.index import cluster

Figures = Mapping[str, object]
MIB = 2**20
ROUNDS = 1000
STATM = Path("/proc/self/statm")


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values don't exceed, by nearest rank; 0 of none."""
    if not ascending:
        return 0.0
    rank = -(-len(ascending) * percent // 100)
    return ascending[max(int(rank), 1) - 1]


def resident_mib() -> float:
    """The memory that this process holds now; where the system doesn't say, the most that it has held."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize() / MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def machine() -> dict[str, object]:
    """What the figures depend on beside the parameters; `native`: whether placement is machine code."""
    native = not (cluster.__file__ or "").endswith(".py")
    return {"python": platform.python_version(), "machine": platform.machine(), "native": native}


def yardstick_ns() -> int:
    """The CPU time that a fixed piece of work takes here and now, in nanoseconds: this machine's pace.

    Neighbours of a virtual machine slow it down by half and more, which CPU time doesn't leave out. Figures of two
    times or machines compare by what the same work took then: add what a run took of it to the run's own figures.
    """
    began, total = process_time_ns(), 0
    for each in range(ROUNDS):
        total += each * each % 7
    return process_time_ns() - began


def tell(figures: Figures, *, as_json: bool, output: Path | None) -> None:
    """Print the figures, and keep them as JSON in a file where one is named."""
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(figures, indent=2) + "\n")
    if as_json:
        print_json(figures)
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, escape(f"{value:,.1f}" if isinstance(value, float) else str(value)))
    result().print(table)
