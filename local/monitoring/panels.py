"""The queries of Grafana's dashboards and alert rules, read from their files and asked as Grafana would ask them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.monitoring.influxdb import Influx, Series
from local.starter import project_root

GRAFANA = Path("compose/monitoring/grafana")
RULES = GRAFANA / "provisioning/alerting/rules.yaml"
"""JSON, which is YAML too."""
INTERVAL = "10s"
SHOWN = "time > now() - 15m"
Dashboard = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A query with Grafana's variables in it, and where it stands."""

    dashboard: str
    panel: str
    text: str
    alias: str = ""


def dashboards() -> dict[str, Dashboard]:
    """The dashboards as Grafana reads them, by name."""
    files = sorted((project_root() / GRAFANA / "dashboards").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def queries_of(name: str, dashboard: Dashboard) -> Iterator[Query]:
    """Those of its panels and of its annotations."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield Query(name, panel["title"], target["query"], target["alias"])
    for annotation in dashboard["annotations"]["list"]:
        yield Query(name, annotation["name"], annotation["target"]["query"])


def alerts() -> Iterator[Query]:
    """The alert rules' queries."""
    for group in json.loads((project_root() / RULES).read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield Query("alerts", rule["title"], rule["data"][0]["model"]["query"])


def chosen(influx: Influx, dashboard: Dashboard, wanted: Mapping[str, str]) -> dict[str, str]:
    """A value for each of its variables: the wanted one where it is offered, else the first that is."""
    values: dict[str, str] = {}
    for variable in dashboard["templating"]["list"]:
        offered = [str(row[1]) for each in influx.query(filled(variable["query"], values)) for row in each.rows]
        name = variable["name"]
        values[name] = wanted[name] if wanted.get(name) in offered else next(iter(sorted(offered)), "")
    return values


def filled(text: str, values: Mapping[str, str], shown: str = SHOWN) -> str:
    """The query with its variables replaced, as Grafana does it before it asks."""
    for name, value in {**values, "timeFilter": shown, "__interval": INTERVAL}.items():
        text = text.replace(f"${name}", value)
    return text


def answered(influx: Influx, query: Query, values: Mapping[str, str], shown: str = SHOWN) -> tuple[Series, ...]:
    """The series that hold anything."""
    return tuple(series for series in influx.query(filled(query.text, values, shown)) if series.values())


def without_data(influx: Influx, names: Mapping[str, Mapping[str, str]]) -> list[Query]:
    """Queries of these dashboards that answer nothing now; by name, with the values wanted for their variables."""
    empty: list[Query] = []
    for name, wanted in names.items():
        dashboard = dashboards()[name]
        values = chosen(influx, dashboard, wanted)
        empty += [query for query in queries_of(name, dashboard) if not answered(influx, query, values)]
    return empty


def silent_alerts(influx: Influx) -> list[Query]:
    """Alert rules whose query answers nothing now."""
    return [query for query in alerts() if not answered(influx, query, {})]
