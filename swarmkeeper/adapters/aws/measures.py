"""CloudWatch's metrics, as many of them in one call as it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from swarmkeeper.adapters.aws.errors import aws_errors
from swarmkeeper.domain.scaling.tracking import Datapoint
from swarmkeeper.ports import Measures, MetricQuery

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricDataResultTypeDef

QUERIES_A_CALL = 500


class CloudWatchMeasures(Measures):
    """Reads by GetMetricData, page by page; what a page leaves out of a metric comes with the next."""

    def __init__(self, client: CloudWatchClient) -> None:
        self._client = client

    def series(self, queries: Sequence[MetricQuery], *, start: float, end: float) -> tuple[tuple[Datapoint, ...], ...]:
        found: dict[str, list[Datapoint]] = {f"q{number}": [] for number in range(len(queries))}
        for first in range(0, len(queries), QUERIES_A_CALL):
            for result in self._results(queries[first : first + QUERIES_A_CALL], first, start, end):
                found[result["Id"]].extend(_datapoints(result))
        return tuple(tuple(sorted(points, key=lambda point: point.at)) for points in found.values())

    def _results(
        self, queries: Sequence[MetricQuery], first: int, start: float, end: float
    ) -> Iterator[MetricDataResultTypeDef]:
        with aws_errors():
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[_query(f"q{first + index}", query) for index, query in enumerate(queries)],
                StartTime=datetime.fromtimestamp(start, UTC),
                EndTime=datetime.fromtimestamp(end, UTC),
            )
            for page in pages:
                yield from page["MetricDataResults"]


def _query(identity: str, query: MetricQuery) -> MetricDataQueryTypeDef:
    return {
        "Id": identity,
        "MetricStat": {
            "Metric": {
                "Namespace": query.namespace,
                "MetricName": query.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in query.dimensions],
            },
            "Period": query.period_s,
            "Stat": query.statistic,
        },
    }


def _datapoints(result: MetricDataResultTypeDef) -> Iterator[Datapoint]:
    pairs = zip(result["Timestamps"], result["Values"], strict=True)
    return (Datapoint(moment.timestamp(), value) for moment, value in pairs)
