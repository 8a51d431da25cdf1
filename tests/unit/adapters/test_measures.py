"""CloudWatch's metrics: what comes in pages, and what AWS answers instead."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from swarmkeeper.adapters.aws.measures import CloudWatchMeasures
from swarmkeeper.domain.scaling.tracking import Datapoint
from swarmkeeper.errors import Unavailable
from swarmkeeper.ports import MetricQuery

QUERY = MetricQuery("Swarmkeeper", "ReservedShare", (("Fleet", "demo"),), "Average", 60)


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def test_what_a_page_leaves_out_of_a_metric_comes_with_the_next() -> None:
    client = boto3.client(
        "cloudwatch", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="of the tests"
    )
    with Stubber(client) as stub:
        first = {"Id": "q0", "Timestamps": [moment(120)], "Values": [0.3], "StatusCode": "PartialData"}
        second = {"Id": "q0", "Timestamps": [moment(60), moment(0)], "Values": [0.2, 0.1], "StatusCode": "Complete"}
        stub.add_response("get_metric_data", {"MetricDataResults": [first], "NextToken": "more"})
        stub.add_response("get_metric_data", {"MetricDataResults": [second]})
        (points,) = CloudWatchMeasures(client).series([QUERY], start=0, end=180)
    assert points == (Datapoint(0, 0.1), Datapoint(60, 0.2), Datapoint(120, 0.3))


def test_throttled_reads_are_unavailable() -> None:
    client = boto3.client(
        "cloudwatch", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="of the tests"
    )
    with Stubber(client) as stub:
        stub.add_client_error("get_metric_data", "ThrottlingException", http_status_code=400)
        with pytest.raises(Unavailable):
            CloudWatchMeasures(client).series([QUERY], start=0, end=180)
