"""CloudWatch's metrics of the fleet as points: as Telegraf's `inputs.cloudwatch` has them.

The measurement is the namespace, a field is a metric and its statistic, a tag is a dimension, all in snake case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from local.monitoring.points import Point

STATISTICS = {"average": "Average", "maximum": "Maximum", "sum": "Sum", "sample_count": "SampleCount"}
QUERIES_A_CALL = 500
NS_PER_S = 1_000_000_000
Metric = Mapping[str, Any]
"""As ListMetrics tells it."""


def points_of(client: Any, namespace: str, region: str, *, start: float, end: float, period_s: int) -> Iterator[Point]:
    """All metrics of the namespace, each statistic of each period."""
    metrics = _metrics(client, namespace)
    wanted = [(metric, statistic) for metric in metrics for statistic in STATISTICS]
    found: dict[tuple[tuple[tuple[str, str], ...], int], dict[str, float]] = {}
    for first in range(0, len(wanted), QUERIES_A_CALL):
        batch = wanted[first : first + QUERIES_A_CALL]
        for (metric, statistic), times, values in _data(client, batch, start=start, end=end, period_s=period_s):
            for moment, value in zip(times, values, strict=True):
                key = (_tags(metric, region), round(moment.timestamp()) * NS_PER_S)
                found.setdefault(key, {})[f"{snake_case(metric['MetricName'])}_{statistic}"] = value
    for (tags, time_ns), fields in found.items():
        yield Point(f"cloudwatch_{snake_case(namespace.replace('/', '_'))}", dict(tags), fields, time_ns)


def snake_case(name: str) -> str:
    """As Telegraf has it: an underscore before each capital that begins a word."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return parted.lower().replace(" ", "_").replace("__", "_")


def _metrics(client: Any, namespace: str) -> list[Metric]:
    pages = client.get_paginator("list_metrics").paginate(Namespace=namespace)
    listed = [metric for page in pages for metric in page["Metrics"]]
    # moto lists a metric once a datapoint that was put; CloudWatch once.
    ordered = sorted(listed, key=_identity)
    return [next(alike) for _, alike in groupby(ordered, key=_identity)]


def _identity(metric: Metric) -> tuple[str, tuple[tuple[str, str], ...]]:
    return metric["MetricName"], tuple(sorted((each["Name"], each["Value"]) for each in metric["Dimensions"]))


def _tags(metric: Metric, region: str) -> tuple[tuple[str, str], ...]:
    dimensions = {snake_case(each["Name"]): each["Value"] for each in metric["Dimensions"]}
    return tuple(sorted({**dimensions, "region": region}.items()))


def _data(
    client: Any, wanted: Sequence[tuple[Metric, str]], *, start: float, end: float, period_s: int
) -> Iterator[tuple[tuple[Metric, str], Sequence[datetime], Sequence[float]]]:
    queries = [
        {"Id": f"q{number}", "MetricStat": {"Metric": metric, "Period": period_s, "Stat": STATISTICS[statistic]}}
        for number, (metric, statistic) in enumerate(wanted)
    ]
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(end, UTC),
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            yield wanted[int(result["Id"][1:])], result["Timestamps"], result["Values"]
