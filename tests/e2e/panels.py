"""The queries of Grafana's dashboards and alert rules as Grafana would ask them, asked of a real InfluxDB."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.grafana.alerts import queries as alert_queries
from infra.grafana.files import contents
from local.monitoring.influxdb import Influx

INTERVAL = "10s"
SHOWN = "time > now() - 15m"


@dataclass(frozen=True, slots=True)
class Query:
    """A query with Grafana's variables in it, and where it stands."""

    dashboard: str
    panel: str
    text: str


def dashboards() -> dict[str, dict[str, Any]]:
    """The dashboards as Grafana reads them from their files, by name."""
    files = {name: text for name, text in contents().items() if name.startswith("dashboards/")}
    return {name.removeprefix("dashboards/").removesuffix(".json"): json.loads(text) for name, text in files.items()}


def queries_of(name: str, dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Those of its panels and of its annotations."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield Query(name, panel["title"], target["query"])
    for annotation in dashboard["annotations"]["list"]:
        yield Query(name, annotation["name"], annotation["target"]["query"])


def chosen(influx: Influx, dashboard: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, str]:
    """A value for each of its variables: the wanted one where it is offered, else the first that is."""
    values: dict[str, str] = {}
    for variable in dashboard["templating"]["list"]:
        offered = [str(row[1]) for each in influx.query(filled(variable["query"], values)) for row in each.rows]
        name = variable["name"]
        values[name] = wanted[name] if wanted.get(name) in offered else next(iter(sorted(offered)), "")
    return values


def filled(text: str, values: Mapping[str, str]) -> str:
    """The query with its variables replaced, as Grafana does it before it asks."""
    for name, value in {**values, "timeFilter": SHOWN, "__interval": INTERVAL}.items():
        text = text.replace(f"${name}", value)
    return text


def without_data(influx: Influx, names: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Queries of these dashboards that answer nothing now; by name, with the values wanted for their variables."""
    empty = []
    for name, wanted in names.items():
        dashboard = dashboards()[name]
        values = chosen(influx, dashboard, wanted)
        for query in queries_of(name, dashboard):
            if not _answers(influx, filled(query.text, values)):
                empty.append(f"{name} / {query.panel}: {query.text}")
    return empty


def silent_alerts(influx: Influx) -> list[str]:
    """Alert rules whose query answers nothing now."""
    return [f"{title}: {text}" for title, text in alert_queries() if not _answers(influx, filled(text, {}))]


def _answers(influx: Influx, text: str) -> bool:
    return any(series.values() for series in influx.query(text))
