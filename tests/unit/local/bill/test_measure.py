"""What is measured is what a change takes beyond the minutes' own work."""

from __future__ import annotations

import json
from pathlib import Path

from local.bill.measure import CHANGES, RUN, count_metrics
from local.starter import project_root


def line(name: str, value: float, **dimensions: str) -> str:
    """One metric as a function prints it."""
    directive = {"Namespace": "Swarmkeeper", "Dimensions": [list(dimensions)], "Metrics": [{"Name": name}]}
    return json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]}, name: value, **dimensions})


def test_a_metric_is_a_name_with_its_dimensions_however_often_it_was_told(tmp_path: Path) -> None:
    log = tmp_path / "demo-placement.log"
    told = [
        line("Pending", 1, Fleet="demo"),
        line("Pending", 2, Fleet="demo"),
        line("Share", 1, Fleet="demo", Pool="workers"),
        line("Share", 1, Fleet="demo", Pool="spare"),
        "START RequestId: 1",
    ]
    log.write_text("\n".join(told) + "\n")
    assert count_metrics([log, tmp_path / "none.log"]) == {"fleet": 1, "pools": 2}


def test_a_runs_time_is_read_from_its_report() -> None:
    report = "START RequestId: a\nREPORT RequestId: a\tDuration: 561.73 ms\nREPORT RequestId: b\tDuration: 1.00 ms\n"
    assert RUN.findall(report) == ["561.73", "1.00"]


def test_the_settings_that_are_changed_for_it_are_in_the_shipped_profile() -> None:
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text(encoding="utf-8")
    assert all(shipped.count(old) == 1 for old, _ in CHANGES)
