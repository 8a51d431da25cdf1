"""The report of a simulation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from math import inf
from pathlib import Path
from xml.etree import ElementTree

import pytest

from swarmkeeper.simulation.demand import bound_node_hours, demand_of
from swarmkeeper.simulation.experiment import Profile, Result, Setup, run_policy
from swarmkeeper.simulation.named import DEFAULTS
from swarmkeeper.simulation.report.charts import POINTS, thinned
from swarmkeeper.simulation.report.page import SET_UP, Report, write_report
from swarmkeeper.simulation.report.svg import Axis, axis_over
from swarmkeeper.simulation.report.sweep import HEADROOM_PERCENTS, STRATEGIES, TARGETS, sweeps
from tests.simulation.builders import a_setup, a_workload

SVG = "{http://www.w3.org/2000/svg}"


def a_profile(setup: Setup, name: str = "short") -> Profile:
    jobs = [(at * 13.0 % 5000, 400.0 + at, 1.0) for at in range(200)]
    workload = a_workload([*jobs, (0, inf, 2.0)], end_s=6000)
    demand = demand_of(workload, setup.model.node)
    return Profile(name, workload, demand, bound_node_hours(demand, 0, workload.end_s))


def results(setup: Setup, profile: Profile) -> tuple[Result, ...]:
    return tuple(run_policy(name, profile, setup) for name in DEFAULTS)


@contextmanager
def untold(label: str) -> Iterator[Callable[[float], None]]:
    yield lambda now: None


def test_the_report_is_a_page_that_needs_nothing_from_outside_and_a_picture_for_each_plot(tmp_path: Path) -> None:
    setup = a_setup(warmup_s=600)
    profile = a_profile(setup)
    report = Report({"parameters": {"seed": 1}}, results(setup, profile), sweeps(profile, setup, untold))
    write_report(report, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert not re.search(r"(src|href)=", page)
    assert "waited longer than a second" in page
    assert all(escape(sentence) in page for sentence in SET_UP)
    names = {path.stem for path in (tmp_path / "report").glob("*.svg")}
    assert names == {f"{kind}-short" for kind in ("capacity", "waiting", "cost", "cold-start", "frontier")}
    for path in (tmp_path / "report").glob("*.svg"):
        picture = ElementTree.parse(path).getroot()  # noqa: S314  written a moment ago
        assert picture.tag == f"{SVG}svg"
        numbers = [
            float(n) for line in picture.iter(f"{SVG}polyline") for n in re.split("[ ,]", line.get("points", ""))
        ]
        assert all(0 <= number <= 960 for number in numbers)
    frontier = json.loads((tmp_path / "report" / "report.json").read_text())["frontier"]
    runs = [len(HEADROOM_PERCENTS)] * len(STRATEGIES) + [len(TARGETS)]
    assert [len(each["results"]) for each in frontier] == runs


def test_both_profiles_have_plots_of_their_own(tmp_path: Path) -> None:
    setup = a_setup()
    profiles = [a_profile(setup, name) for name in ("full", "short")]
    found = tuple(run_policy("ours", profile, setup) for profile in profiles)
    swept = tuple(("ours", "#000", (each,)) for each in found)
    write_report(Report({}, found, swept), tmp_path)
    assert (tmp_path / "capacity-full.svg").exists()
    assert (tmp_path / "capacity-short.svg").exists()
    assert sorted(path.stem for path in tmp_path.glob("frontier*")) == ["frontier-full", "frontier-short"]


def test_a_long_line_keeps_its_peaks() -> None:
    points = [(float(x), 0.0 if x != 7777 else 5.0) for x in range(20_000)]
    assert len(thinned(points)) <= POINTS + 1
    assert (7777.0, 5.0) in thinned(points)
    assert thinned(points[:9]) == points[:9]


@pytest.mark.parametrize(
    ("values", "low", "axis"),
    [
        ([3.0, 97.0], 0.0, Axis("", 0.0, 100.0)),
        ([1.12, 1.39], None, Axis("", 1.1, 1.4)),
        ([0.0, 0.0], 0.0, Axis("", 0.0, 0.2)),
        ([], None, Axis("", 0.0, 0.2)),
    ],
)
def test_an_axis_ends_at_round_numbers(values: list[float], low: float | None, axis: Axis) -> None:
    found = axis_over("", values, low=low)
    assert found.low == pytest.approx(axis.low)
    assert found.high == pytest.approx(axis.high)
