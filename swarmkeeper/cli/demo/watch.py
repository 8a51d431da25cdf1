"""Looks at the fleet twice a second from outside, as a user could, and wakes whoever waits for something."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from local import starter
from swarmkeeper.cli.demo.record import Record, Sample, SeenEvent, Unmet
from swarmkeeper.cli.fleet import ContainerView, Fleet, FleetError, NodeView

T = TypeVar("T")

PERIOD_S = 0.5
JOINING = frozenset({"launching", "certifying", "joining", "joined"})
LEAVING = frozenset({"draining", "leaving"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """The fleet at one moment."""

    nodes: tuple[NodeView, ...] = ()
    containers: tuple[ContainerView, ...] = ()
    alarms: Mapping[str, str] = field(default_factory=dict)
    desired: Mapping[str, int] = field(default_factory=dict)
    """Desired capacity by group."""
    instances: Mapping[str, str] = field(default_factory=dict)
    """Lifecycle state by instance id."""
    events: tuple[SeenEvent, ...] = ()

    def workers(self, *states: str) -> list[NodeView]:
        """Worker nodes in one of the states (in any, without)."""
        return [node for node in self.nodes if node["role"] == "worker" and (not states or node["state"] in states)]

    def container(self, name: str) -> ContainerView | None:
        return next((one for one in self.containers if one["name"] == name), None)

    def pending(self) -> list[ContainerView]:
        return [one for one in self.containers if one["state"] == "pending"]

    def of_kind(self, kind: str, **details: object) -> list[SeenEvent]:
        """Events of a detail type whose details hold the given values, oldest first."""
        return [
            event
            for event in self.events
            if event.kind == kind and all(event.detail.get(key) == value for key, value in details.items())
        ]


class Watcher:
    """Samples the fleet from `start` to `stop`; `view` is the last look."""

    def __init__(self, cloud: starter.Cloud, fleet: Fleet, record: Record) -> None:
        self._cloud = cloud
        self._fleet = fleet
        self._record = record
        self._groups = cloud.client("autoscaling")
        self._alarms = cloud.client("cloudwatch")
        self._events: list[SeenEvent] = []
        self._known: set[str] = set()
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._desired: dict[str, tuple[int, int]] = {}
        self._first_running: dict[str, float] = {}
        self.view = View()
        self.problem = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def wait(self, what: str, met: Callable[[View], T | None], *, limit_s: float) -> T:
        """Wait until `met` gives something that isn't None or False. Raises Unmet."""
        deadline = time.monotonic() + limit_s
        with self._news:
            while True:
                found = met(self.view)
                if found is not None and found is not False:
                    return found
                if not self._news.wait(deadline - time.monotonic()):
                    problem = f"; the last look failed: {self.problem}" if self.problem else ""
                    raise Unmet(f"{what} did not happen within {limit_s:g} s{problem}")

    def desired_range(self) -> Mapping[str, tuple[int, int]]:
        """The least and the most desired capacity that was seen of each group."""
        return dict(self._desired)

    def first_running_on(self, node: str) -> float | None:
        """When a running container was first seen on the node, in seconds since the demo's start."""
        return self._first_running.get(node)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._look()
                self.problem = ""
            except Exception as error:  # noqa: BLE001  the next look may succeed; a wait that fails tells this one
                self.problem = f"{type(error).__name__}: {error}"
            self._stop.wait(max(0.05, PERIOD_S - (time.monotonic() - began)))

    def _look(self) -> None:
        listed = self._fleet.list()
        if listed["status"] != 200:
            raise FleetError(str(listed.get("error")))
        groups = self._groups.describe_auto_scaling_groups()["AutoScalingGroups"]
        alarms = self._alarms.describe_alarms()["MetricAlarms"]
        self._take_events()
        view = View(
            nodes=tuple(listed["nodes"]),
            containers=tuple(listed["containers"]),
            alarms={alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms},
            desired={group["AutoScalingGroupName"]: group["DesiredCapacity"] for group in groups},
            instances={one["InstanceId"]: one["LifecycleState"] for group in groups for one in group["Instances"]},
            events=tuple(self._events),
        )
        self._keep(view)
        with self._news:
            self.view = view
            self._news.notify_all()

    def _keep(self, view: View) -> None:
        self._record.series.append(sample(view, self._record.elapsed()))
        for group, desired in view.desired.items():
            low, high = self._desired.get(group, (desired, desired))
            self._desired[group] = (min(low, desired), max(high, desired))
        for container in view.containers:
            if container["state"] == "running" and container.get("node"):
                self._first_running.setdefault(str(container["node"]), self._record.elapsed())

    def _take_events(self) -> None:
        answer = cast(Mapping[str, Any], starter.ask("history"))
        for event in answer["events"]:
            if event["id"] in self._known:
                continue
            self._known.add(event["id"])
            self._events.append(
                SeenEvent(
                    t=event["at"] - self._record.started_at,
                    id=event["id"],
                    source=event["source"],
                    kind=event["detail_type"],
                    detail=event["detail"],
                    rules=tuple(event["rules"]),
                )
            )


def sample(view: View, t: float) -> Sample:
    """The numbers of one look."""
    return Sample(
        t=t,
        ready=len(view.workers("ready")),
        joining=len(view.workers(*JOINING)),
        leaving=len(view.workers(*LEAVING)),
        desired=sum(count for group, count in view.desired.items() if not group.endswith("-managers")),
        running=sum(one["state"] == "running" for one in view.containers),
        pending=len(view.pending()),
    )
