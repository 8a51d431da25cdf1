"""What the dashboards' queries answer, drawn."""

from __future__ import annotations

import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from local.monitoring import panels
from local.monitoring.influxdb import InfluxDB, installed
from local.monitoring.picture import NOTE, picture
from local.monitoring.points import Point

NS = 10**9


@pytest.mark.skipif(not installed(), reason="scripts/setup.sh --test installs InfluxDB where there is apt-get")
def test_a_picture_has_each_panel_its_lines_the_decisions_and_says_that_it_is_not_grafana(tmp_path: Path) -> None:
    database = InfluxDB(tmp_path)
    database.start()
    try:
        now = time.time()
        tags = {"fleet": "demo", "pool": "workers"}
        database.client.write(
            [
                Point("cloudwatch_swarmkeeper", tags, {"ready_nodes_maximum": n}, int(now - 60 * n) * NS)
                for n in (1, 2, 3)
            ]
        )
        decided = Point(
            "cloudwatch_swarmkeeper", {**tags, "direction": "out"}, {"decided_nodes_maximum": 2}, int(now - 90) * NS
        )
        database.client.write([decided])
        drawn = picture(database.client, "fleet", {}, now)
    finally:
        database.stop()
    texts = {each.text for each in ElementTree.fromstring(drawn).iter() if each.text}  # noqa: S314  # our own text
    assert {panel["title"] for panel in panels.dashboards()["fleet"]["panels"]} <= texts
    assert {"Swarmkeeper: fleet: fleet demo", NOTE, "workers", "a decision"} <= texts
