"""Dashboards and alert rules: the files are those of the code, Grafana's own models read them, and what they ask for is
published."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.alerting import Rule
from grafana_foundation_sdk.models.dashboard import Dashboard

from infra.grafana.alerts import ALERTS
from infra.grafana.files import FOLDER, RULES, contents
from local.monitoring import panels
from local.monitoring.control_plane import STATISTICS, snake_case
from local.monitoring.influxdb import InfluxDB, installed
from local.monitoring.points import Point
from tests.infra.test_dashboard import Metric, published  # noqa: F401  # a fixture

DASHBOARDS = panels.dashboards()


@pytest.mark.parametrize("name", contents())
def test_the_files_are_those_of_the_code(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == contents()[name], "run `make dashboards`"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafanas_own_model_reads_a_dashboard_and_finds_nothing_strange(name: str) -> None:
    register_default_plugins()
    read = Dashboard.from_json({**DASHBOARDS[name], "panels": []})
    assert (read.uid, next(each.name for each in read.templating.list_val or [])) == (f"swarmkeeper-{name}", "fleet")
    titles = [panel["title"] for panel in DASHBOARDS[name]["panels"]]
    assert len(titles) == len(set(titles))
    for panel in DASHBOARDS[name]["panels"]:
        refs = [target["refId"] for target in panel["targets"]]
        assert panel["type"] in {"timeseries", "stat"}
        assert refs and len(refs) == len(set(refs)), panel["title"]


def test_a_query_uses_no_variable_that_its_dashboard_lacks() -> None:
    for name, dashboard in DASHBOARDS.items():
        known = {each["name"] for each in dashboard["templating"]["list"]} | {"timeFilter", "__interval"}
        for query in panels.queries_of(name, dashboard):
            used = set(re.findall(r"\$(\w+)", query.text))
            assert used <= known, query


def of_the_control_plane() -> Iterator[str]:
    """Fields of CloudWatch's metrics that some query names."""
    texts = [query.text for name, dashboard in DASHBOARDS.items() for query in panels.queries_of(name, dashboard)]
    for text in [*texts, *(query.text for query in panels.alerts())]:
        if '"cloudwatch_swarmkeeper"' in text:
            yield from re.findall(rf'"(\w+_(?:{"|".join(STATISTICS)}))"', text)


def test_every_metric_that_is_asked_for_is_published(published: set[Metric]) -> None:  # noqa: F811
    fields = {f"{snake_case(name)}_{statistic}" for _, name, _ in published for statistic in STATISTICS}
    asked = set(of_the_control_plane())
    assert len(asked) > 10
    assert asked <= fields


def test_alert_rules_are_read_by_grafanas_own_model_and_compare_what_they_ask() -> None:
    register_default_plugins()
    (group,) = json.loads(contents()[RULES])["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    assert [rule["title"] for rule in rules] == [alert.title for alert in ALERTS]
    for rule, alert in zip(rules, ALERTS, strict=True):
        assert Rule.from_json({**rule, "data": []}).uid == f"swarmkeeper-{alert.uid}"
        asked, reduced, compared = (each["model"] for each in rule["data"])
        assert asked["query"] == alert.query
        assert (reduced["type"], reduced["expression"]) == ("reduce", asked["refId"])
        assert (compared["type"], compared["expression"], compared["refId"]) == ("threshold", "B", rule["condition"])
        assert compared["conditions"][0]["evaluator"] == {"type": alert.compare, "params": [alert.threshold]}


@pytest.mark.skipif(not installed(), reason="scripts/setup.sh --test installs InfluxDB where there is apt-get")
@pytest.mark.parametrize(
    ("silent_minutes", "fires"),
    [(1, False), (5, False), (9, True), (60, True), (300, True)],
)
def test_a_fleet_that_tells_nothing_is_found_while_another_one_tells(
    tmp_path: Path, silent_minutes: int, fires: bool
) -> None:
    now_s, database = 1_700_000_030, InfluxDB(tmp_path)
    try:
        database.start()
        for fleet, last in (("talks", 0), ("silent", silent_minutes)):
            database.client.write(
                Point("cloudwatch_swarmkeeper", {"fleet": fleet}, {"pending_containers_maximum": 0.0}, at_s * 10**9)
                for at_s in range(now_s - 330 * 60, now_s - last * 60, 60)
            )
        assert fires_at(database, "silent", now_s) == {"talks": False, "silent": fires}
    finally:
        database.stop()


def fires_at(database: InfluxDB, uid: str, now_s: int) -> dict[str, bool]:
    """By fleet: whether the rule's last value is beyond its threshold, as Grafana asks and compares."""
    alert = next(each for each in ALERTS if each.uid == uid)
    assert (alert.compare, alert.reduce) == ("lt", "last")
    (group,) = json.loads(contents()[RULES])["groups"]
    (rule,) = [each for each in group["rules"] if each["uid"] == f"swarmkeeper-{uid}"]
    looks = rule["data"][0]["relativeTimeRange"]
    shown = f"time >= {now_s - looks['from']}s AND time <= {now_s - looks.get('to', 0)}s"
    answered = database.client.query(alert.query.replace("$timeFilter", shown))
    return {each.tags["fleet"]: float(str(each.values()[-1])) < alert.threshold for each in answered}
