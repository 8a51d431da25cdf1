"""CloudWatch's embedded metric format: a log line that describes metrics becomes PutMetricData.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.server import AwsServer

logger = logging.getLogger(__name__)

MAX_DATUMS = 1000
"""Of one PutMetricData request."""


@dataclass(frozen=True, slots=True)
class Datum:
    """The values of one metric for one set of dimensions."""

    namespace: str
    name: str
    unit: str
    values: tuple[float, ...]
    dimensions: tuple[tuple[str, str], ...]
    resolution_s: int
    time: datetime

    def to_api(self) -> dict[str, object]:
        """As PutMetricData takes it."""
        return {
            "MetricName": self.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions],
            "Timestamp": self.time,
            "Unit": self.unit,
            "StorageResolution": self.resolution_s,
        } | ({"Value": self.values[0]} if len(self.values) == 1 else {"Values": list(self.values)})


class EmfReader:
    """Puts the metrics of log lines into CloudWatch."""

    def __init__(self, server: AwsServer) -> None:
        self._cloudwatch = server.client("cloudwatch")

    def read(self, line: str) -> int:
        """Put the line's metrics, if it has any, and return how many. A failure is logged: a log never fails."""
        datums = list(datums_in(line))
        for namespace in dict.fromkeys(datum.namespace for datum in datums):
            batch = [datum.to_api() for datum in datums if datum.namespace == namespace]
            try:
                self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=batch[:MAX_DATUMS])
            except (BotoCoreError, ClientError) as error:
                logger.warning("metrics lost: %s", error, extra={"namespace": namespace})
        return len(datums)


def datums_in(line: str) -> Iterator[Datum]:
    """The metrics of one log line; none when it isn't in the format. What is malformed is left out, as on AWS."""
    root = _root(line)
    metadata = root.get("_aws")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("Timestamp"), int | float):
        return
    time = datetime.fromtimestamp(metadata["Timestamp"] / 1000, UTC)
    for directive in _objects(metadata.get("CloudWatchMetrics")):
        if directive.get("Namespace"):
            yield from _datums_of(directive, root, time)


def _datums_of(directive: Mapping[str, object], root: Mapping[str, object], time: datetime) -> Iterator[Datum]:
    sets = directive.get("Dimensions")
    dimension_sets = sets if isinstance(sets, list) and sets else [[]]
    for metric in _objects(directive.get("Metrics")):
        values = _values(root.get(str(metric.get("Name"))))
        for keys in dimension_sets:
            dimensions = tuple((str(key), str(root[key])) for key in keys if key in root)
            if not values or len(dimensions) != len(keys):
                continue
            yield Datum(
                namespace=str(directive["Namespace"]),
                name=str(metric["Name"]),
                unit=str(metric.get("Unit", "None")),
                values=values,
                dimensions=dimensions,
                resolution_s=1 if metric.get("StorageResolution") == 1 else 60,
                time=time,
            )


def _root(line: str) -> Mapping[str, object]:
    if '"_aws"' not in line:  # most lines are plain logs
        return {}
    try:
        root = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return root if isinstance(root, dict) else {}


def _objects(value: object) -> list[Mapping[str, object]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _values(value: object) -> tuple[float, ...]:
    listed = value if isinstance(value, list) else [value]
    good = [float(one) for one in listed if isinstance(one, int | float) and not isinstance(one, bool)]
    return tuple(good) if len(good) == len(listed) else ()
