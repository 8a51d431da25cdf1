"""A stand-in for Telegraf, which can't be had here: reads what Telegraf would read and writes what it would write.

On AWS two Telegrafs do this (compose/node/telegraf.conf, compose/monitoring/telegraf.conf): one a node, which reads the
machine and its cAdvisor, and one beside InfluxDB, which reads CloudWatch. Measurements, tags and fields have the names
that Telegraf gives them, and the same two go to CloudWatch, so that dashboards, alerts and thresholds are those of
production. Nothing else of Telegraf is imitated: no plug-ins, no buffers, no batches.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.machines import CommandOutput, MachineError, NodeCommand
from local.monitoring import control_plane, exposition, system
from local.monitoring.influxdb import Influx
from local.monitoring.points import Point

logger = logging.getLogger(__name__)

INTERVAL_S = 10
LOOK_BACK_S = 120
"""Each pass reads so much of CloudWatch again: data of standard resolution are kept under the minute in which
they came, and a point that is written twice is one point."""
CADVISOR_PORT, CADVISOR_PATH = 8090, "/metrics"
"""Where compose/node has it, on every node's loopback."""
NAMESPACE = "Swarmkeeper"
NODES_NAMESPACE = "CWAgent"
GROUP_TAG = "AutoScalingGroupName"
TO_CLOUDWATCH = {
    "mem": ("used_percent",),
    "cpu": ("usage_active",),
    "cadvisor": ("container_memory_working_set_bytes",),
}
"""What of the nodes goes to CloudWatch, by measurement, as the inputs that are marked for it have it."""
OURS = "container_label_swarmkeeper_fleet"
UNREADABLE = (LookupError, ValueError, ArithmeticError)
"""What reading half a line, a section that is missing or a disk without blocks comes to."""
MAX_DATUMS = 1000
"""Of one PutMetricData request."""
SCRIPT = f"""{system.SCRIPT}echo '== cadvisor'
(exec 3<>/dev/tcp/127.0.0.1/{CADVISOR_PORT} && printf 'GET {CADVISOR_PATH} HTTP/1.0\\r\\n\\r\\n' >&3 &&
    sed '1,/^\\r$/d' <&3) 2>/dev/null || true  # it comes up after the node has joined
"""
TIMEOUT_S = 20.0


class Nodes(Protocol):
    """Machines on which a script can be run."""

    def run(self, instance_id: str, command: NodeCommand) -> CommandOutput: ...


@dataclass(frozen=True, slots=True)
class Place:
    """An instance and whose it is."""

    host: str
    pool: str
    group: str


@dataclass(slots=True)
class Pass:
    """How one pass went."""

    points: int = 0
    nodes: int = 0
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)
    """Nodes that could not be read, and why."""


@dataclass(slots=True)
class StandIn:
    """Reads everything every few seconds, in a thread of its own. Without nodes only the control plane is read."""

    influx: Influx
    cloudwatch: Any
    fleet: str
    region: str
    places: Callable[[], Iterable[Place]]
    nodes: Nodes | None
    interval_s: float = INTERVAL_S
    clock: Callable[[], float] = time.time
    last: Pass = field(default_factory=Pass)
    _before: dict[str, system.Told] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="telegraf-stand-in", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the pass that runs. Safe to repeat."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self.interval_s):
            try:
                self.last = self.once()
            except (MachineError, OSError, BotoCoreError, ClientError, *UNREADABLE) as error:
                logger.warning("metrics are missed: %s", error)

    def once(self) -> Pass:
        """One pass over everything. Raises InfluxError when points are refused, OSError when InfluxDB has gone."""
        begun = time.perf_counter()
        now = self.clock()
        done = Pass()
        done.points += self.influx.write(self._control_plane(now))
        if self.nodes is not None:
            self._read(self.nodes, now, done)
        done.seconds = time.perf_counter() - begun
        return done

    def _read(self, nodes: Nodes, now: float, done: Pass) -> None:
        for place in self.places():
            try:
                points = list(self._of_node(nodes, place, now))
            except (MachineError, *UNREADABLE) as error:  # it goes, is only coming, or tells half of it
                done.missed.append(f"{place.host}: {error}")
                logger.warning("a node is not measured: %s: %s", place.host, error)
                self._before.pop(place.host, None)  # or what was told half would spoil each later pass
                continue
            done.points += self.influx.write(points)
            done.nodes += 1
            self._tell_cloudwatch(place, points)

    def _control_plane(self, now: float) -> Iterator[Point]:
        end = now - now % INTERVAL_S
        return control_plane.points_of(
            self.cloudwatch, NAMESPACE, self.region, start=end - LOOK_BACK_S, end=end, period_s=INTERVAL_S
        )

    def _of_node(self, nodes: Nodes, place: Place, now: float) -> Iterator[Point]:
        output = nodes.run(
            place.host, NodeCommand("telegraf-stand-in", "telegraf-stand-in", SCRIPT, timeout_s=TIMEOUT_S)
        )
        if output.exit_code:
            raise MachineError(output.stderr.strip()[-200:])
        told, now_ns = system.Told.of(output.stdout), int(now * control_plane.NS_PER_S)
        tags = {"fleet": self.fleet, "pool": place.pool, "host": place.host}
        yield from system.points_in(told, self._before.get(place.host), tags, now_ns)
        self._before[place.host] = told
        yield from exposition.points_in("\n".join(told.sections["cadvisor"]), "cadvisor", tags, now_ns)

    def _tell_cloudwatch(self, place: Place, points: Sequence[Point]) -> None:
        datums = [
            {
                "MetricName": f"{point.measurement}_{name}",
                "Dimensions": [{"Name": GROUP_TAG, "Value": place.group}],
                "Timestamp": point.time_ns / control_plane.NS_PER_S,
                "Value": point.fields[name],
            }
            for point in points
            for name in TO_CLOUDWATCH.get(point.measurement, ())
            if name in point.fields and _is_wanted(point)
        ]
        for first in range(0, len(datums), MAX_DATUMS):
            self.cloudwatch.put_metric_data(Namespace=NODES_NAMESPACE, MetricData=datums[first : first + MAX_DATUMS])


def places_of(autoscaling: Any, groups: Mapping[str, str]) -> Iterator[Place]:
    """The instances in service of the groups, which are given by pool."""
    answer = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=list(groups.values()))
    pools = {group: pool for pool, group in groups.items()}
    for group in answer["AutoScalingGroups"]:
        name = group["AutoScalingGroupName"]
        for instance in group["Instances"]:
            if instance["LifecycleState"] == "InService":
                yield Place(instance["InstanceId"], pools[name], name)


def _is_wanted(point: Point) -> bool:
    """Of cAdvisor the fleet's own containers, and not the machine and what else runs on it."""
    return point.measurement != "cadvisor" or bool(point.tags.get(OURS))
