"""Log lines in the embedded metric format become metrics; other lines stay logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.aws.emf import EmfReader, datums_in
from local.aws.server import AwsServer

NOW = datetime.now(UTC)


def line(**changes: object) -> str:
    """A line that describes the metric `Pending` of a fleet and its pool."""
    metric = {"Name": "Pending", "Unit": "Count", "StorageResolution": 1}
    directive = {"Namespace": "Swarmkeeper", "Dimensions": [["Fleet"], ["Fleet", "Pool"]], "Metrics": [metric]}
    root = {
        "_aws": {"Timestamp": int(NOW.timestamp() * 1000), "CloudWatchMetrics": [directive]},
        "Fleet": "demo",
        "Pool": "web",
        "Pending": 3,
        "message": "placed",
    }
    return json.dumps(root | changes)


def test_each_dimension_set_becomes_a_metric_of_its_own(server: AwsServer) -> None:
    assert EmfReader(server).read(line()) == 2
    found = server.client("cloudwatch").list_metrics(Namespace="Swarmkeeper")["Metrics"]
    dimensions = [sorted(one["Value"] for one in metric["Dimensions"]) for metric in found]
    assert sorted(dimensions) == [["demo"], ["demo", "web"]]


def test_the_values_can_be_read_back(server: AwsServer) -> None:
    EmfReader(server).read(line(Pending=[1, 2, 6]))
    (point,) = server.client("cloudwatch").get_metric_statistics(
        Namespace="Swarmkeeper",
        MetricName="Pending",
        Dimensions=[{"Name": "Fleet", "Value": "demo"}, {"Name": "Pool", "Value": "web"}],
        StartTime=NOW - timedelta(minutes=5),
        EndTime=NOW + timedelta(minutes=5),
        Period=60,
        Statistics=["Sum", "Maximum", "SampleCount"],
        Unit="Count",
    )["Datapoints"]
    assert (point["Sum"], point["Maximum"], point["SampleCount"]) == (9, 6, 3)


def test_a_datum_has_the_lines_unit_resolution_and_time() -> None:
    datum = next(iter(datums_in(line())))
    assert (datum.name, datum.unit, datum.values, datum.resolution_s) == ("Pending", "Count", (3.0,), 1)
    assert abs(datum.time - NOW) < timedelta(milliseconds=2)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("plain text", id="text"),
        pytest.param('{"level": "INFO", "message": "about _aws"}', id="a structured log"),
        pytest.param('{"_aws": ', id="broken JSON"),
        pytest.param('["_aws"]', id="not an object"),
        pytest.param('{"_aws": 1}', id="no metadata"),
        pytest.param('{"_aws": {"CloudWatchMetrics": []}}', id="no timestamp"),
        pytest.param(line(Pending="three"), id="a value that is no number"),
        pytest.param(line(Pending=True), id="a truth value"),
        pytest.param(json.dumps({k: v for k, v in json.loads(line()).items() if k != "Fleet"}), id="no dimension"),
    ],
)
def test_other_lines_hold_no_metrics(text: str) -> None:
    assert list(datums_in(text)) == []
