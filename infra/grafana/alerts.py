"""Alert rules for Grafana: what calls a person beside CloudWatch's own alarms, which watch Swarmkeeper itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import alerting, expr
from grafana_foundation_sdk.models.alerting import RelativeTimeRange
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from infra.grafana.influxql import CONTAINERS, CONTROL_PLANE, OURS, SOURCE_UID, Asked, InfluxQuery

EXPRESSIONS = DataSourceRef(type_val="__expr__", uid="__expr__")
WINDOW_S = 600
REMEMBERED_S = 6 * 3600
"""For so long after its last word a fleet is still expected to tell something."""
NEWEST_S = 120
"""Telegraf reads CloudWatch a minute late: what is younger is not missed."""
GROUP, FOLDER, INTERVAL = "swarmkeeper", "Swarmkeeper", "1m"
NoData = Literal["Alerting", "NoData", "OK"]


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule: the worst value of the last ten minutes' series is compared, each series by itself.

    window_s and newest_s: between so long ago and so long ago the query looks.
    """

    uid: str
    title: str
    query: str
    compare: Literal["gt", "lt"]
    threshold: float
    lasting: str
    tells: str
    reduce: Literal["last", "max", "mean"] = "last"
    severity: str = "warning"
    no_data: NoData = "OK"
    window_s: int = WINDOW_S
    newest_s: int = 0


def _told_lately(metric: str) -> str:
    """How many values a minute came in the five minutes before: 0 too, for a fleet that came earlier in the window."""
    return (
        f'SELECT moving_average(count("{metric}"), 5) FROM "{CONTROL_PLANE}" WHERE $timeFilter '
        'GROUP BY time(1m), "fleet" fill(0)'
    )


def _select(value: str, measurement: str, where: str = "", by: str = "", every: str = "1m") -> str:
    condition = f"{where} AND $timeFilter" if where else "$timeFilter"
    groups = f"time({every}), {by}" if by else f"time({every})"
    return f'SELECT {value} FROM "{measurement}" WHERE {condition} GROUP BY {groups} fill(none)'


def _of_fleet(metric: str, by: str = '"fleet"', where: str = "") -> str:
    return _select(f'max("{metric}")', CONTROL_PLANE, where, by)


ALERTS = (
    Alert(
        "waiting",
        "Containers wait too long",
        _of_fleet("oldest_pending_age_maximum"),
        "gt",
        600,
        "5m",
        "The oldest request of {{ $labels.fleet }} waits for {{ $values.B.Value }} s: swarmkeeper explain tells why.",
        severity="critical",
    ),
    Alert(
        "silent",
        "The control plane tells nothing",
        _told_lately("pending_containers_maximum"),
        "lt",
        0.1,  # one value in five minutes is 0.2
        "5m",
        "No metrics of {{ $labels.fleet }} came for minutes: Telegraf, the reconciler or its schedule has stopped.",
        severity="critical",
        no_data="Alerting",
        window_s=REMEMBERED_S,
        newest_s=NEWEST_S,
    ),
    Alert(
        "slow-placement",
        "Placements are slow",
        _select('mean("placement_time_average")', CONTROL_PLANE, by='"fleet"'),
        "gt",
        10,
        "5m",
        "Placements of {{ $labels.fleet }} take {{ $values.B.Value }} s on average.",
        reduce="mean",
    ),
    Alert(
        "pool-failed",
        "A pool can't launch nodes",
        _of_fleet("pool_failed_maximum", '"fleet", "pool"'),
        "gt",
        0,
        "0s",
        "Pool {{ $labels.pool }} is grown no more until a launch succeeds.",
        severity="critical",
    ),
    Alert(
        "node-memory",
        "A node is short of memory",
        _select('mean("used_percent")', "mem", by='"fleet", "pool", "host"'),
        "gt",
        90,
        "10m",
        "{{ $labels.host }} has {{ $values.B.Value }} % of its memory in use.",
        reduce="mean",
    ),
    Alert(
        "node-disk",
        "A node's disk fills up",
        _select('max("used_percent")', "disk", by='"fleet", "host", "path"'),
        "gt",
        85,
        "10m",
        "{{ $labels.path }} of {{ $labels.host }} is {{ $values.B.Value }} % full.",
    ),
    Alert(
        "container-limit",
        "A container is at its limit of memory",
        _select(
            'max("container_memory_working_set_bytes") / max("container_spec_memory_limit_bytes")',
            CONTAINERS,
            f"\"{OURS}\" != ''",
            '"name", "host"',
        ),
        "gt",
        0.95,
        "10m",
        "{{ $labels.name }} on {{ $labels.host }} uses {{ $values.B.Value }} of its limit; the kernel ends it at 1.",
    ),
)


def rule_file() -> dict[str, object]:
    """All rules as Grafana's provisioning reads them."""
    rules = [_rule(alert).build() for alert in ALERTS]
    group = {"orgId": 1, "name": GROUP, "folder": FOLDER, "interval": INTERVAL, "rules": rules}
    return {"apiVersion": 1, "groups": [group]}


def _rule(alert: Alert) -> alerting.Rule:
    rule = alerting.Rule(alert.title).uid(f"swarmkeeper-{alert.uid}").rule_group(GROUP).folder_uid(GROUP).org_id(1)
    rule = rule.for_val(alert.lasting).no_data_state(alert.no_data).exec_err_state("Error")
    rule = rule.labels({"severity": alert.severity}).annotations({"summary": alert.tells})
    rule = rule.with_query(_asked(alert)).with_query(_reduced(alert)).with_query(_compared(alert))
    return rule.condition("C")


def _asked(alert: Alert) -> alerting.Query:
    query = alerting.Query("A").datasource_uid(SOURCE_UID).model(Asked(InfluxQuery(alert.query)))
    return query.relative_time_range(RelativeTimeRange(from_val=alert.window_s, to=alert.newest_s))


def _reduced(alert: Alert) -> alerting.Query:
    model = expr.TypeReduce().datasource(EXPRESSIONS).ref_id("B").expression("A").reducer(alert.reduce)
    return _expression("B", model)


def _compared(alert: Alert) -> alerting.Query:
    limit = expr.ExprTypeThresholdConditionsEvaluator().type(alert.compare).params([alert.threshold])
    condition = expr.ExprTypeThresholdConditions().evaluator(limit)
    return _expression(
        "C", expr.TypeThreshold().datasource(EXPRESSIONS).ref_id("C").expression("B").conditions([condition])
    )


def _expression(ref: str, model: expr.TypeReduce | expr.TypeThreshold) -> alerting.Query:
    return alerting.Query(ref).datasource_uid("__expr__").model(model).relative_time_range(RelativeTimeRange(0, 0))
