"""The stand-in for Telegraf over fake nodes, an emulated CloudWatch and a fake InfluxDB."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

import pytest

from local.aws.server import AwsServer
from local.machines import CommandOutput, MachineError, NodeCommand
from local.monitoring.influxdb import Influx
from local.monitoring.points import Point
from local.monitoring.stand_in import GROUP_TAG, NODES_NAMESPACE, Place, StandIn, places_of
from tests.unit.local.monitoring.test_system import TELLS

GROUP = "demo-workers"
CADVISOR = """== cadvisor
container_memory_working_set_bytes{name="web",container_label_swarmkeeper_fleet="demo"} 64
container_memory_working_set_bytes{id="/"} 999
"""
WHOLE = TELLS.format(user=1, idle=2) + CADVISOR


@dataclass
class Written:
    """In InfluxDB's place."""

    points: list[Point] = field(default_factory=list)

    def write(self, points: Iterable[Point]) -> int:
        new = list(points)
        self.points += new
        return len(new)


@dataclass
class FakeNodes:
    gone: set[str] = field(default_factory=set)
    tells: dict[str, str] = field(default_factory=dict)
    """What a node says instead of all that it should."""

    def run(self, instance_id: str, command: NodeCommand) -> CommandOutput:
        if instance_id in self.gone:
            raise MachineError(f"{instance_id} is gone")
        return CommandOutput(0, self.tells.get(instance_id, WHOLE), "")


def a_stand_in(server: AwsServer, nodes: FakeNodes | None, *hosts: str) -> tuple[StandIn, Written]:
    written = Written()
    places = [Place(host, "workers", GROUP) for host in hosts]
    stand_in = StandIn(
        influx=cast(Influx, written),
        cloudwatch=server.client("cloudwatch"),
        fleet="demo",
        region=server.region,
        places=lambda: places,
        nodes=nodes,
    )
    return stand_in, written


def test_a_node_that_is_gone_keeps_no_other_from_being_read(server: AwsServer) -> None:
    stand_in, written = a_stand_in(server, FakeNodes({"i-1"}), "i-1", "i-2")
    done = stand_in.once()
    assert (done.nodes, done.missed) == (1, ["i-1: i-1 is gone"])
    assert {point.tags["host"] for point in written.points} == {"i-2"}
    assert {point.measurement for point in written.points} >= {"mem", "net", "system", "disk", "cadvisor"}


@pytest.mark.parametrize(
    "half",
    [
        "",
        WHOLE.replace("cpu  1 0", "cpu  1 x"),
        WHOLE.replace("cpu  1", "cup  1"),
        WHOLE.replace("cpu  1 0 50 2 100 0 0 0 0 0", "cpu  1"),
        WHOLE.replace("MemTotal:        4000 kB", "MemTotal:"),
        WHOLE.replace("4000 kB", "0 kB"),
        WHOLE.replace("1000 300 600", "1000 0 0"),
        WHOLE.replace("== cadvisor", ""),
        WHOLE.replace('fleet="demo"} 64', 'fleet="demo"} 6x'),
    ],
)
def test_a_node_that_tells_half_is_missed_and_told_and_read_again_when_it_tells_all(
    server: AwsServer, caplog: pytest.LogCaptureFixture, half: str
) -> None:
    nodes = FakeNodes()
    stand_in, _ = a_stand_in(server, nodes, "i-1", "i-2")
    assert (half != WHOLE, stand_in.once().nodes) == (True, 2)
    nodes.tells["i-1"] = half
    done = stand_in.once()
    assert (done.nodes, [each.split(":")[0] for each in done.missed]) == (1, ["i-1"])
    assert "a node is not measured: i-1: " in caplog.text
    nodes.tells.clear()
    assert stand_in.once().missed == []


def test_what_cannot_be_read_ends_no_later_pass(server: AwsServer, caplog: pytest.LogCaptureFixture) -> None:
    stand_in, _ = a_stand_in(server, FakeNodes())
    asked: list[bool] = []
    again = threading.Event()

    def places() -> list[Place]:
        asked.append(True)
        if len(asked) == 1:
            raise KeyError("AutoScalingGroups")
        again.set()
        return []

    stand_in.places, stand_in.interval_s = places, 0.0
    stand_in.start()
    came = again.wait(60)
    stand_in.stop()
    assert came
    assert "metrics are missed: 'AutoScalingGroups'" in caplog.text


def test_simulated_nodes_are_not_read(server: AwsServer) -> None:
    stand_in, written = a_stand_in(server, None, "i-1")
    assert (stand_in.once().nodes, written.points) == (0, [])


def test_memory_of_nodes_and_of_our_containers_goes_to_cloudwatch_by_group(server: AwsServer) -> None:
    stand_in, _ = a_stand_in(server, FakeNodes(), "i-1", "i-2")
    stand_in.once()
    listed = server.client("cloudwatch").list_metrics(Namespace=NODES_NAMESPACE)["Metrics"]
    found = {(each["MetricName"], *((one["Name"], one["Value"]) for one in each["Dimensions"])) for each in listed}
    assert found == {
        ("mem_used_percent", (GROUP_TAG, GROUP)),
        ("cadvisor_container_memory_working_set_bytes", (GROUP_TAG, GROUP)),
    }


def test_the_places_are_the_groups_instances_in_service() -> None:
    class AutoScaling:
        def describe_auto_scaling_groups(self, **_: object) -> object:
            instances = [
                {"InstanceId": "i-1", "LifecycleState": "InService"},
                {"InstanceId": "i-2", "LifecycleState": "Pending:Wait"},
            ]
            return {"AutoScalingGroups": [{"AutoScalingGroupName": GROUP, "Instances": instances}]}

    assert list(places_of(AutoScaling(), {"workers": GROUP})) == [Place("i-1", "workers", GROUP)]


def test_an_influxdb_that_has_gone_is_told(server: AwsServer) -> None:
    stand_in, _ = a_stand_in(server, None)
    stand_in.influx = Influx("127.0.0.1", 1)
    server.client("cloudwatch").put_metric_data(
        Namespace="Swarmkeeper",
        MetricData=[{"MetricName": "PendingContainers", "Value": 1.0, "Timestamp": time.time() - 30}],
    )
    with pytest.raises(OSError, match="refused"):
        stand_in.once()
