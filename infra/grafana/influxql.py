"""Queries of InfluxDB in its own language, which the SDK knows no builder for."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

SOURCE_UID = "swarmkeeper-influxdb"
"""As compose/monitoring/grafana/provisioning/datasources names it."""
SOURCE = DataSourceRef(type_val="influxdb", uid=SOURCE_UID)
CONTROL_PLANE = "cloudwatch_swarmkeeper"
"""CloudWatch's namespace Swarmkeeper, as Telegraf's inputs.cloudwatch names what it finds there."""
CONTAINERS = "cadvisor"
OURS = "container_label_swarmkeeper_fleet"
"""The tag that every container of a fleet has, and no other."""


@dataclass(slots=True)
class InfluxQuery(Dataquery):
    """One query of a panel, as Grafana's InfluxDB plug-in reads it."""

    text: str
    alias: str = ""
    ref: str = "A"
    result_format: str = "time_series"

    def to_json(self) -> dict[str, object]:
        """As it stands in a dashboard's file."""
        return {
            "refId": self.ref,
            "datasource": SOURCE,
            "query": self.text,
            "rawQuery": True,
            "resultFormat": self.result_format,
            "alias": self.alias,
        }


@dataclass(frozen=True, slots=True)
class Asked(Builder[Dataquery]):
    """A builder of a query, as the SDK's panels take it."""

    query: InfluxQuery

    def build(self) -> Dataquery:
        return self.query


def asked(text: str, alias: str = "", *, ref: str = "A") -> Asked:
    """A query whose series are named by the alias, in which `$tag_x` is a tag's value."""
    return Asked(InfluxQuery(text, alias, ref))


def over_time(value: str, source: str, where: str = "", by: str = "", fill: str = "null") -> str:
    """The value in each interval of the shown time; `by` are tags, each combination a series."""
    conditions = f"{where} AND $timeFilter" if where else "$timeFilter"
    groups = f"time($__interval), {by}" if by else "time($__interval)"
    return f"SELECT {value} FROM {source} WHERE {conditions} GROUP BY {groups} fill({fill})"


def of_fleet(statistic: str, metric: str, by: str = "", where: str = "") -> str:
    """A metric of the control plane, in the chosen fleet; `statistic` is an InfluxQL function."""
    conditions = '"fleet" =~ /^$fleet$/' + (f" AND {where}" if where else "")
    return over_time(f'{statistic}("{metric}")', f'"{CONTROL_PLANE}"', conditions, by)


def tag_values(measurement: str, tag: str, where: str = "") -> str:
    """The statement that lists what a variable may be."""
    condition = f" WHERE {where}" if where else ""
    return f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "{tag}"{condition}'
