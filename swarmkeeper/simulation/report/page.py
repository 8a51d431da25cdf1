"""Writes the report: report.html for people, report.json for programs, and each plot as a picture of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from swarmkeeper.simulation.experiment import Profile, Result
from swarmkeeper.simulation.measures import percentile, waited_share
from swarmkeeper.simulation.named import OURS
from swarmkeeper.simulation.report.charts import (
    capacity_chart,
    cold_start_chart,
    cost_chart,
    frontier_chart,
    waiting_chart,
)
from swarmkeeper.simulation.report.sweep import Sweep

COLD_START_S = 4 * 3600.0
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; color: #212529; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; } svg { width: 100%; height: auto; }
"""
HEADS = ("policy", "placed by", "node-hours", "over the bound", "price", "wait p50", "p95", "p99", "waited over 1 s")
COUNTS = ("bought", "removed", "moves", "flaps", "CPU")

SET_UP = (
    "Every policy replays the same arrivals. When a container comes, and how long it then runs, is drawn uniformly "
    "from the bins of the trace, by the seed; what still ran when the trace ended runs to the end. A lifetime begins "
    "when the container has found room.",
    "All nodes are alike. A node is paid from the moment it is bought, its boot included, until it is removed. "
    "Nothing can be moved, so only empty nodes are removed.",
    "The warm-up, which begins with one node (or as many as the policy always has), is not counted: neither its "
    "node-hours nor its containers, nor in the bound. The bound is what a policy would pay that could cut containers "
    "to pieces, move them for nothing, and had nodes without a boot.",
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report tells; `sweeps` draw the frontier of each profile that they were run for."""

    document: Mapping[str, object]
    results: tuple[Result, ...]
    sweeps: tuple[Sweep, ...] = ()

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The profiles that were run, in their order."""
        return tuple({each.profile.name: each.profile for each in self.results}.values())

    def of(self, profile: Profile) -> list[Result]:
        """One profile's results."""
        return [each for each in self.results if each.profile.name == profile.name]


def write_report(report: Report, folder: Path) -> None:
    """Write all files into the folder, which is made when it isn't there."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = plots_of(report)
    for name, plot in plots.items():
        (folder / f"{name}.svg").write_text(plot)
    document = {**report.document, "frontier": [_swept(each) for each in report.sweeps]}
    (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n")
    (folder / "report.html").write_text(to_html(report, plots))


def plots_of(report: Report) -> dict[str, str]:
    """Each plot as SVG by its name."""
    plots: dict[str, str] = {}
    for profile in report.profiles:
        results = report.of(profile)
        plots[f"capacity-{profile.name}"] = capacity_chart(results, profile)
        plots[f"waiting-{profile.name}"] = waiting_chart(results, profile)
        plots[f"cost-{profile.name}"] = cost_chart(results, profile)
        for ours in (each for each in results if each.policy == OURS):
            plots[f"cold-start-{profile.name}"] = cold_start_chart(ours, COLD_START_S)
        swept = [sweep for sweep in report.sweeps if sweep[2][0].profile.name == profile.name]
        if swept:
            plots[f"frontier-{profile.name}"] = frontier_chart(swept, profile)
    return plots


def to_html(report: Report, plots: Mapping[str, str]) -> str:
    """The whole report as one page without anything from outside."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Scaling policies on a demand trace</title>',
        f"<style>{STYLE}</style><h1>Scaling policies on a demand trace</h1>",
    ]
    for profile in report.profiles:
        parts.append(f"<h2>{escape(_told(profile))}</h2>")
        parts.append(_results(report.of(profile)))
        parts += [_cold(each) for each in report.of(profile) if each.policy == OURS]
        parts += [plot for name, plot in plots.items() if name.endswith(f"-{profile.name}")]
    parts.append("<h2>Set-up</h2>")
    parts += [f"<p>{escape(sentence)}</p>" for sentence in SET_UP]
    parts.append(f"<pre>{escape(json.dumps(report.document.get('parameters'), indent=2))}</pre></html>")
    return "\n".join(parts)


def _told(profile: Profile) -> str:
    arrivals, bound = len(profile.workload.jobs), profile.bound_node_hours
    return f"Profile {profile.name}: {arrivals:,} arrivals, {bound:,.0f} node-hours at least"


def _results(results: Sequence[Result]) -> str:
    heads = "".join(f"<th{' class=number' if at > 1 else ''}>{head}</th>" for at, head in enumerate((*HEADS, *COUNTS)))
    return f"<table><tr>{heads}</tr>{''.join(map(_row, results))}</table>"


def _row(result: Result) -> str:
    figures = result.to_json()
    cells = (
        f"{result.node_hours:,.1f}",
        f"{result.ratio:.3f}",
        f"{result.price:,.2f}",
        *(f"{figures[name]} s" for name in ("wait_p50_s", "wait_p95_s", "wait_p99_s")),
        f"{result.waited_share:.2%}",
        *(str(figures[name]) for name in ("bought", "removed", "moves", "flaps")),
        f"{result.cpu_s:.1f} s",
    )
    numbers = "".join(f"<td class=number>{escape(cell)}</td>" for cell in cells)
    return f"<tr><td>{escape(result.policy)}</td><td>{escape(result.strategy)}</td>{numbers}</tr>"


def _cold(result: Result) -> str:
    """What the warm-up, which is not counted, was like."""
    waits = result.measures.early_waits
    if not waits:
        return ""
    return (
        f"<p>Cold start from one node, not counted above: of {len(waits):,} containers in the first "
        f"{result.measures.since / 3600:g} hours {waited_share(waits):.1%} waited longer than a second, the longest "
        f"{percentile(waits, 100):.0f} s.</p>"
    )


def _swept(sweep: Sweep) -> dict[str, object]:
    name, _, results = sweep
    return {"name": name, "results": [each.to_json() for each in results]}
