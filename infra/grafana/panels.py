"""The kinds of panels, variables and annotations that the dashboards are made of."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationQuery, AnnotationTarget, VariableRefresh, VariableSort

from infra.grafana.influxql import CONTROL_PLANE, SOURCE, Asked, tag_values

HALF, THIRD = 12, 8
HEIGHT = 8
DECISIONS = (
    f'SELECT "decided_nodes_maximum", "pool", "direction" FROM "{CONTROL_PLANE}" '
    'WHERE "fleet" =~ /^$fleet$/ AND "direction" != \'\' AND $timeFilter'
)
"""A point a decision that changes a pool."""


def graph(
    title: str, *queries: Asked, unit: str = "short", span: int = HALF, least: float | None = 0
) -> timeseries.Panel:
    """Lines over time. `least`: where the axis begins, None for the data's own least value."""
    panel = timeseries.Panel().title(title).datasource(SOURCE).unit(unit).span(span).height(HEIGHT)
    for query in queries:
        panel = panel.with_target(query)
    return panel if least is None else panel.min(least)


def number(title: str, query: Asked, *, unit: str = "short", span: int = 6) -> stat.Panel:
    """The last value, large."""
    return stat.Panel().title(title).datasource(SOURCE).unit(unit).span(span).height(4).with_target(query)


def choice(name: str, measurement: str, tag: str, where: str = "") -> dashboards.QueryVariable:
    """A variable that is chosen among a tag's values."""
    listing = tag_values(measurement, tag, where)
    variable = dashboards.QueryVariable(name).query(listing).datasource(SOURCE)
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)


def new(title: str, uid: str, *variables: dashboards.QueryVariable) -> dashboards.Dashboard:
    """An empty dashboard of the last three hours, with its variables and the scaling decisions marked in it."""
    made = (
        dashboards.Dashboard(title).uid(f"swarmkeeper-{uid}").tags(["swarmkeeper"]).refresh("30s").time("now-3h", "now")
    )
    for variable in variables:
        made = made.with_variable(variable)
    return made.annotation(Decisions())


class DecisionQuery(AnnotationTarget):
    """The annotation's query as Grafana's InfluxDB plug-in reads it; the SDK knows only that of Grafana itself."""

    def to_json(self) -> dict[str, object]:
        return {
            "refId": "Decisions",
            "query": DECISIONS,
            "rawQuery": True,
            "fromAnnotations": True,
            "textColumn": "decided_nodes_maximum",
            "tagsColumn": "pool,direction",
        }


class Decisions(Builder[AnnotationQuery]):
    """The scaling decisions, marked with the size that was decided on, the pool and the direction."""

    def build(self) -> AnnotationQuery:
        return AnnotationQuery(
            "Scaling decisions", datasource=SOURCE, enable=True, icon_color="orange", target=DecisionQuery()
        )
