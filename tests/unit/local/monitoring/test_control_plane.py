"""CloudWatch's metrics become the points that Telegraf would make of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from local.aws.server import AwsServer
from local.monitoring.control_plane import points_of, snake_case

START = 1_700_000_000.0


def put(server: AwsServer, name: str, value: float, at: float, **dimensions: str) -> None:
    datum = {
        "MetricName": name,
        "Value": value,
        "Timestamp": datetime.fromtimestamp(at, UTC),
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
    }
    server.client("cloudwatch").put_metric_data(Namespace="Swarmkeeper", MetricData=[datum])


def test_a_field_is_a_metric_with_its_statistic_and_a_tag_a_dimension(server: AwsServer) -> None:
    for value in (1.0, 3.0):
        put(server, "EngineCallTime", value, START + 2, Fleet="demo", Operation="create")
    put(server, "PendingContainers", 4.0, START + 2, Fleet="demo")
    found = list(
        points_of(server.client("cloudwatch"), "Swarmkeeper", "eu-west-1", start=START, end=START + 10, period_s=10)
    )
    calls, waiting = sorted(found, key=lambda point: -len(point.tags))
    assert calls.measurement == waiting.measurement == "cloudwatch_swarmkeeper"
    assert dict(calls.tags) == {"fleet": "demo", "operation": "create", "region": "eu-west-1"}
    assert calls.fields == {
        "engine_call_time_average": 2.0,
        "engine_call_time_maximum": 3.0,
        "engine_call_time_sum": 4.0,
        "engine_call_time_sample_count": 2.0,
    }
    assert waiting.fields["pending_containers_maximum"] == 4.0
    assert waiting.time_ns == int(START) * 10**9


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PendingContainers", "pending_containers"),
        ("ReservedCpus", "reserved_cpus"),
        ("CPUUtilization", "cpu_utilization"),
        ("AutoScalingGroupName", "auto_scaling_group_name"),
    ],
)
def test_names_are_in_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected
