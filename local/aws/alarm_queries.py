"""What PutMetricAlarm checks of metric maths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local.aws.alarm_data import returns_data
from local.aws.alarm_maths import Expression, MathsError
from local.aws.alarm_rules import STATISTICS

Query = Mapping[str, Any]
SINGLE = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period")


def maths_period(queries: Sequence[Query]) -> int:
    """The period of the metrics, 0 where there is none."""
    return next((int(query["MetricStat"].get("Period") or 0) for query in queries if query.get("MetricStat")), 0)


def maths_fault(wanted: Mapping[str, Any]) -> str | None:
    """Why an alarm's queries are refused, by AWS or because they aren't emulated; None when they aren't."""
    queries: Sequence[Query] = wanted["Metrics"]
    if given := [name for name in SINGLE if wanted.get(name)]:
        return f"{', '.join(given)} must not be given together with Metrics"
    if sum(returns_data(query.get("ReturnData")) for query in queries) != 1:
        return "Exactly one element of the metrics list should return data"
    if len({query.get("Id") for query in queries}) < len(queries):
        return "The ids of the metrics list must be unique"
    return _stats_fault(queries) or _expressions_fault(queries)


def _stats_fault(queries: Sequence[Query]) -> str | None:
    stats = [query["MetricStat"] for query in queries if query.get("MetricStat")]
    if not stats:
        return "metric maths without a metric is not emulated"
    if len({stat.get("Period") for stat in stats}) > 1:
        return "metrics of different periods are not emulated"
    unknown = {stat.get("Stat") for stat in stats} - set(STATISTICS)
    return f"Stat {', '.join(map(str, unknown))} is not emulated: use {', '.join(STATISTICS)}" if unknown else None


def _expressions_fault(queries: Sequence[Query]) -> str | None:
    known = {str(query.get("Id")) for query in queries if query.get("MetricStat")}
    for query in queries:
        if bool(query.get("Expression")) == bool(query.get("MetricStat")):
            return f"query {query.get('Id')} needs either an Expression or a MetricStat"
        if not query.get("Expression"):
            continue
        try:
            expression = Expression.parse(str(query["Expression"]))
            expression.at({**dict.fromkeys(known, 1.0)})
        except MathsError as error:
            return str(error)
        except KeyError as error:
            return f"the expression of {query.get('Id')} reads {error}, which stands in no query before it"
        known.add(str(query.get("Id")))
    return None
