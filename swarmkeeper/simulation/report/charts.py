"""The charts of a report, from the results of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from swarmkeeper.simulation.demand import DemandStep
from swarmkeeper.simulation.experiment import Profile, Result
from swarmkeeper.simulation.measures import Sample
from swarmkeeper.simulation.report.svg import Axis, Dot, Line, Point, axis_over, chart

COLOURS = {
    "ours": "#1c7ed6",
    "step-binpack": "#e67700",
    "step-spread": "#fab005",
    "tracking-80": "#9c36b5",
    "tracking-95": "#e64980",
    "tracking-100": "#c92a2a",
    "fixed": "#868e96",
}
OTHER = "#2b8a3e"
DEMAND = "#343a40"
POINTS = 360
"""Points of a line: a chart of days can't show more."""
HOUR_S = 3600.0
SHOWN_TIMES = 2.0


def colour_of(policy: str) -> str:
    """A policy's colour in every chart."""
    return COLOURS.get(policy, OTHER)


def capacity_chart(results: Sequence[Result], profile: Profile) -> str:
    """Demand, and the nodes that each policy pays for it, over the whole trace."""
    lines = [demand_line(profile, 0.0, profile.workload.end_s)]
    lines += [_line(each, lambda sample: sample.paid) for each in results]
    hours = Axis("hours", 0.0, profile.workload.end_s / HOUR_S)
    nodes = axis_over("nodes", (y for line in lines for _, y in line.points), low=0.0)
    return chart(f"Demand and capacity, {profile.name}", hours, nodes, lines)


def waiting_chart(results: Sequence[Result], profile: Profile) -> str:
    """How many containers wait at once, from the end of the warm-up on."""
    since_s = max((each.measures.since for each in results), default=0.0)
    lines = [_line(each, lambda sample: sample.waiting, since_s) for each in results]
    hours = Axis("hours", since_s / HOUR_S, profile.workload.end_s / HOUR_S)
    waiting = axis_over("containers waiting", (y for line in lines for _, y in line.points), low=0.0)
    return chart(f"Waiting, {profile.name}", hours, waiting, lines)


def cost_chart(results: Sequence[Result], profile: Profile) -> str:
    """Cost against waiting: the nearer to the lower left corner, the better.

    What costs more than twice the cheapest is told in the title, or the others would lie on each other.
    """
    most = SHOWN_TIMES * min((each.ratio for each in results), default=0.0)
    dots = [Dot(each.policy, colour_of(each.policy), _cost(each)) for each in results if each.ratio <= most]
    beyond = ", ".join(f"{each.policy} at {each.ratio:.2f}" for each in results if each.ratio > most)
    title = f"Cost against waiting, {profile.name}" + (f" (not shown: {beyond})" if beyond else "")
    return chart(title, *_cost_axes([dot.at for dot in dots], low=1.0), dots=dots)


def frontier_chart(sweeps: Sequence[tuple[str, str, Sequence[Result]]], profile: Profile) -> str:
    """What each policy's own parameter trades: (name, colour, results by that parameter)."""
    lines = [Line(name, colour, sorted(map(_cost, results)), marks=True, width=1.2) for name, colour, results in sweeps]
    axes = _cost_axes([point for line in lines for point in line.points], low=None)
    return chart(f"Cost against waiting by a sweep, {profile.name}", *axes, lines)


def cold_start_chart(result: Result, until_s: float) -> str:
    """The beginning from one node: what is asked for, paid and ready, and how many containers wait for it."""
    samples = [sample for sample in result.measures.samples if sample.at <= until_s]

    def line(name: str, colour: str, read: Callable[[Sample], float], width: float = 1.6) -> Line:
        return Line(name, colour, thinned([(each.at / HOUR_S, read(each)) for each in samples]), width)

    lines = [
        demand_line(result.profile, 0.0, until_s),
        line("nodes paid", colour_of(result.policy), lambda each: each.paid),
        line("nodes ready", OTHER, lambda each: each.ready),
        line("containers waiting", "#e67700", lambda each: each.waiting),
    ]
    count = axis_over("nodes, containers", (y for each in lines for _, y in each.points), low=0.0)
    return chart(f"A cold start from one node, {result.policy}", Axis("hours", 0.0, until_s / HOUR_S), count, lines)


def demand_line(profile: Profile, since_s: float, until_s: float) -> Line:
    """The fewest nodes that could hold what is asked for."""
    steps = [step for step in profile.demand if since_s <= step.at <= until_s]
    return Line("demand", DEMAND, thinned([_at(step) for step in steps]), 1.2, area=True)


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most some hundreds of the points: the highest of each stretch, so that no peak is lost."""
    if len(points) <= POINTS:
        return list(points)
    low, width = points[0][0], (points[-1][0] - points[0][0]) / POINTS
    stretches = groupby(points, key=lambda point: int((point[0] - low) / width))
    return [max(stretch, key=lambda point: point[1]) for _, stretch in stretches]


def _line(result: Result, read: Callable[[Sample], float], since_s: float = 0.0) -> Line:
    points = [(sample.at / HOUR_S, read(sample)) for sample in result.measures.samples if sample.at >= since_s]
    return Line(result.policy, colour_of(result.policy), thinned(points), 2.0 if result.policy == "ours" else 1.2)


def _at(step: DemandStep) -> Point:
    return step.at / HOUR_S, step.nodes


def _cost(result: Result) -> Point:
    return result.waited_share * 100, result.ratio


def _cost_axes(points: Sequence[Point], *, low: float | None) -> tuple[Axis, Axis]:
    across = axis_over("containers that waited longer than a second", (x for x, _ in points), low=0.0, unit=" %")
    return across, axis_over("node-hours over the bound", (y for _, y in points), low=low)
