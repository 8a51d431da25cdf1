"""What every source of metrics does: CloudWatch's adapter on moto, and the fake that other tests use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from swarmkeeper.adapters.aws.measures import CloudWatchMeasures
from swarmkeeper.domain.scaling.tracking import Datapoint
from swarmkeeper.ports import Measures, MetricQuery
from tests.fakes.aws import aws_account
from tests.fakes.measures import FakeMeasures

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

T = 1_790_000_400.0
"""A whole five minutes."""
DIMENSIONS = {"Fleet": "demo", "Pool": "workers"}

Put = Callable[[str, dict[str, str], tuple[tuple[float, float], ...]], None]


@dataclass(frozen=True, slots=True)
class Source:
    measures: Measures
    put: Put


def shares(statistic: str = "Average", period_s: int = 60, name: str = "ReservedShare") -> MetricQuery:
    return MetricQuery("Swarmkeeper", name, tuple(DIMENSIONS.items()), statistic, period_s)


def cloudwatch(client: CloudWatchClient) -> Source:
    def put(name: str, dimensions: dict[str, str], samples: tuple[tuple[float, float], ...]) -> None:
        named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        for at, value in samples:
            moment = datetime.fromtimestamp(at, UTC)
            datum = {"MetricName": name, "Dimensions": named, "Timestamp": moment, "Value": value}
            client.put_metric_data(Namespace="Swarmkeeper", MetricData=[datum])  # type: ignore[list-item]  # built here

    return Source(CloudWatchMeasures(client), put)


def in_memory() -> Source:
    fake = FakeMeasures()
    return Source(fake, lambda name, dimensions, samples: fake.put("Swarmkeeper", name, dimensions, *samples))


@pytest.fixture(params=["in memory", "CloudWatch"])
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    if request.param == "in memory":
        yield in_memory()
        return
    with aws_account() as session:
        yield cloudwatch(session.client("cloudwatch"))


def test_a_metric_has_one_datapoint_a_period_oldest_first(source: Source) -> None:
    source.put("ReservedShare", DIMENSIONS, ((T + 70, 0.9), (T + 5, 0.2), (T + 50, 0.4)))
    (points,) = source.measures.series([shares()], start=T, end=T + 120)
    assert [(point.at, round(point.value, 6)) for point in points] == [(T, 0.3), (T + 60, 0.9)]


@pytest.mark.parametrize(("statistic", "value"), [("Maximum", 4.0), ("Minimum", 2.0), ("Sum", 6.0), ("Average", 3.0)])
def test_the_statistic_says_what_becomes_of_a_periods_samples(source: Source, statistic: str, value: float) -> None:
    source.put("ReservedShare", DIMENSIONS, ((T + 5, 2.0), (T + 250, 4.0)))
    (points,) = source.measures.series([shares(statistic, 300)], start=T, end=T + 300)
    assert points == (Datapoint(T, value),)


def test_each_query_gets_its_own_series_and_an_unknown_metric_an_empty_one(source: Source) -> None:
    source.put("ReservedShare", DIMENSIONS, ((T, 0.5),))
    source.put("ReservedShare", {"Fleet": "demo", "Pool": "others"}, ((T, 0.7),))
    source.put("ReadyNodes", DIMENSIONS, ((T, 3.0),))
    unknown = MetricQuery("Nowhere", "Nothing", (), "Average", 60)
    found = source.measures.series([unknown, shares(name="ReadyNodes"), shares()], start=T, end=T + 60)
    assert found == ((), (Datapoint(T, 3.0),), (Datapoint(T, 0.5),))


def test_only_what_was_measured_within_the_time_is_told(source: Source) -> None:
    source.put("ReservedShare", DIMENSIONS, ((T - 60, 0.1), (T, 0.2), (T + 60, 0.3)))
    (points,) = source.measures.series([shares()], start=T, end=T + 60)
    assert points == (Datapoint(T, 0.2),)


def test_without_queries_nothing_is_asked(source: Source) -> None:
    assert source.measures.series([], start=T, end=T + 60) == ()
