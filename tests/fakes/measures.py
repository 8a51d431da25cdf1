"""Metrics that a test records."""

from __future__ import annotations

from collections.abc import Sequence

from swarmkeeper.domain.scaling.tracking import Datapoint
from swarmkeeper.ports import MetricQuery
from tests.fakes.faults import Fallible, can_fail

Identity = tuple[str, str, tuple[tuple[str, str], ...]]


class FakeMeasures(Fallible):
    """Keeps samples as CloudWatch does: the period of a query gathers them, and a metric nobody measured is empty."""

    def __init__(self) -> None:
        super().__init__()
        self._samples: dict[Identity, list[Datapoint]] = {}

    def put(self, namespace: str, name: str, dimensions: dict[str, str], *samples: tuple[float, float]) -> None:
        """Record (time, value) pairs of a metric."""
        identity = (namespace, name, tuple(sorted(dimensions.items())))
        self._samples.setdefault(identity, []).extend(Datapoint(at, value) for at, value in samples)

    @can_fail
    def series(self, queries: Sequence[MetricQuery], *, start: float, end: float) -> tuple[tuple[Datapoint, ...], ...]:
        return tuple(self._series(query, start, end) for query in queries)

    def _series(self, query: MetricQuery, start: float, end: float) -> tuple[Datapoint, ...]:
        periods: dict[float, list[float]] = {}
        for sample in self._samples.get((query.namespace, query.name, tuple(sorted(query.dimensions))), []):
            begins = sample.at // query.period_s * query.period_s
            periods.setdefault(begins, []).append(sample.value)
        inside = {at: values for at, values in periods.items() if _begin(start, query) <= at < end}
        return tuple(Datapoint(at, _statistic(query.statistic, values)) for at, values in sorted(inside.items()))


def _begin(start: float, query: MetricQuery) -> float:
    """CloudWatch rounds the start down to the period."""
    return start // query.period_s * query.period_s


def _statistic(statistic: str, values: Sequence[float]) -> float:
    known = {"Average": sum(values) / len(values), "Minimum": min(values), "Maximum": max(values), "Sum": sum(values)}
    return known[statistic]
