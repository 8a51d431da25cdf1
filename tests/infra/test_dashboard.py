"""The dashboard shows metrics that somebody publishes, and the fields that decisions have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra.dashboard import DECIDED
from infra.functions import PLANS
from swarmkeeper.adapters.aws import metrics
from swarmkeeper.domain.figures import FleetFigures, PoolFigures
from swarmkeeper.domain.model import PoolName
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision
from tests.infra.template import Template

Metric = tuple[str, str, frozenset[str]]
"""Namespace, name, and the names of its dimensions."""
OF_AWS = {
    *(("AWS/Lambda", name, frozenset({"FunctionName"})) for name in ("Invocations", "Errors", "Throttles", "Duration")),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", frozenset({"QueueName"})),
}
"""What the services' own pages list."""


def widgets(template: Template) -> list[dict[str, Any]]:
    body = json.loads(template.one("AWS::CloudWatch::Dashboard")["DashboardBody"])
    return [each["properties"] for each in body["widgets"]]


def shown(template: Template) -> Iterator[Metric]:
    for widget in widgets(template):
        for namespace, name, *rest in _rows(widget.get("metrics", [])):
            names = [each for each in rest if isinstance(each, str)][::2]
            yield namespace, name, frozenset(names)


def _rows(metrics_of_widget: list[list[Any]]) -> Iterator[list[Any]]:
    """Rows with a search taken for the metric that it searches."""
    for row in metrics_of_widget:
        if isinstance(row[0], dict):
            found = re.match(r"SEARCH\('\{(.+?)\} MetricName=\"(\w+)\"", row[0]["expression"])
            assert found, row
            namespace, *dimensions = found[1].split(",")
            yield [namespace, found[2], *(part for name in dimensions for part in (name, "any"))]
        else:
            yield row


@pytest.fixture
def published(capsys: pytest.CaptureFixture[str]) -> set[Metric]:
    """What the code prints for CloudWatch to read."""
    pool = PoolFigures(PoolName("workers"), ready_nodes=1, containers=1, reserved_share=0.5)
    metrics.emit_figures(FleetFigures(pending=1, oldest_pending_s=1.0, pools=(pool,)), "demo")
    metrics.emit_loss_refused("demo")
    metrics.emit_engine_call("demo", "create", 0.1)
    metrics.emit_placement("demo", 0.2)
    metrics.emit_decision("demo", pool="workers", direction="out", desired=2)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {
        (directive["Namespace"], metric["Name"], frozenset(dimensions))
        for line in printed
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }


def test_every_metric_that_is_shown_is_published(template: Template, published: set[Metric]) -> None:
    found = set(shown(template))
    assert found - published - OF_AWS == set()
    assert found >= OF_AWS


def test_every_pool_function_and_dead_letter_queue_is_shown(template: Template) -> None:
    text = template.one("AWS::CloudWatch::Dashboard")["DashboardBody"]
    queues = [each["QueueName"] for each in template.of_type("AWS::SQS::Queue").values()]
    named = {*template.of_type("AWS::SQS::Queue"), *template.of_type("AWS::Lambda::Function")}
    assert {"managers", "workers"} <= set(re.findall(r'"Pool","([\w-]+)"', text))
    dead = [name for name in named if name in text]
    assert len(dead) == len(PLANS) + sum(str(each).endswith("-dlq") for each in queues)


def test_what_is_shown_of_decisions_is_in_their_log_lines(template: Template) -> None:
    logged = ScalingDecision(PoolName("workers"), Direction.OUT, 2, 2, "pending").to_log()
    assert set(DECIDED) <= set(logged)
    (query,) = (each["query"] for each in widgets(template) if "query" in each)
    assert query.startswith("SOURCE '/aws/lambda/demo-scaler'")
    assert all(f"decision.{name}" in query for name in DECIDED)
