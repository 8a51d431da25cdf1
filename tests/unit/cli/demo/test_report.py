from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from swarmkeeper.cli.demo.plot import plot
from swarmkeeper.cli.demo.record import Record, Sample, Step
from swarmkeeper.cli.demo.report import to_html, write_reports


def sample(t: float, **counts: int) -> Sample:
    nothing = {"ready": 0, "joining": 0, "leaving": 0, "desired": 0, "running": 0, "pending": 0}
    return Sample(t=t, **nothing | counts)


def record() -> Record:
    kept = Record(engines="simulated")
    with kept.step("first worker ready"):
        pass
    kept.check("engines refuse strangers", True, "TLS: <alert>")
    kept.series += [sample(0, ready=1), sample(1.5, ready=2, pending=3)]
    kept.chains.append({"kind": "joined:", "node": "i-1", "hook": {"event_id": "e-1", "t": 1.0, "token": "t-1"}})
    kept.times["alarm_to_decision"] = 0.4
    return kept


def test_the_json_report_holds_what_programs_look_for(tmp_path: Path) -> None:
    write_reports(record(), tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["ok"] is True
    assert report["engines"] == "simulated"
    assert report["checks"] == [{"name": "engines refuse strangers", "ok": True, "detail": "TLS: <alert>"}]
    assert [step["name"] for step in report["steps"]] == ["first worker ready"]
    assert {"start", "seconds"} <= set(report["steps"][0])
    assert report["times"] == {"alarm_to_decision": 0.4}
    assert [point["pending"] for point in report["series"]] == [0, 3]


def test_the_page_needs_nothing_from_outside_and_escapes_what_it_shows() -> None:
    page = to_html(record())
    assert not re.search(r"(src|href)=|url\(|@import", page)
    assert "TLS: &lt;alert&gt;" in page
    assert "event_id e-1, token t-1" in page


def test_a_check_that_fails_makes_the_run_fail() -> None:
    kept = record()
    kept.check("nothing is left", False, "a bridge")
    assert not kept.ok
    assert "FAILED" in to_html(kept)


def test_a_step_that_fails_is_kept_and_makes_the_run_fail() -> None:
    kept = record()
    with pytest.raises(ValueError, match="no worker"), kept.step("wait"):
        raise ValueError("no worker")
    assert not kept.ok
    assert kept.steps[-1].detail == "no worker"


def test_a_run_without_checks_is_no_success() -> None:
    assert not Record().ok


def test_the_plot_is_well_formed_and_stays_inside_its_frame() -> None:
    picture = ElementTree.fromstring(plot([sample(0), sample(100, pending=9, ready=4)], [Step("a & b", 3, 1)]))  # noqa: S314  our own
    for line in picture.iter("polyline"):
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 960
            assert 0 <= y <= 360


def test_without_samples_the_plot_says_so() -> None:
    assert "No samples" in plot([], [])
