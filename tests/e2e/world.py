"""A local cloud inside the test's own process, so that a test can disturb it, and ways to wait for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from local.cloud import LocalCloud
from swarmkeeper.cli.fleet import Answer, ContainerView, Fleet, Invoker, NodeView
from swarmkeeper.cli.requests import create_body

T = TypeVar("T")
PAUSE_S = 0.25
SLACK = 2.0
"""Limits are what an unhurried machine needs with room to spare; a busy one may take so many times as long."""
SLOTS = 4
"""What one worker of the shipped profile holds."""


@dataclass(frozen=True, slots=True)
class World:
    """A running cloud as its tests see it."""

    cloud: LocalCloud
    said: list[str]

    @property
    def fleet(self) -> Fleet:
        return Fleet(self.cloud.settings.fleet, cast(Invoker, self.client("lambda")))

    def client(self, service: str) -> Any:
        return self.cloud.server.client(service)

    def request(self, name: str) -> Answer:
        """Ask for one movable web container that takes a slot."""
        image = self.cloud.engines.images["web"]
        body = create_body(name, image, cpus="0.25", memory="64MiB", environment=[f"NAME={name}"], movable=True)
        return self.fleet.create(body)

    def nodes(self, *states: str, role: str = "worker") -> list[NodeView]:
        found = [node for node in self.fleet.list()["nodes"] if node["role"] == role]
        return [node for node in found if node["state"] in states] if states else found

    def containers(self) -> dict[str, ContainerView]:
        return {container["name"]: container for container in self.fleet.list()["containers"]}

    def states(self) -> dict[str, str]:
        return {name: container["state"] for name, container in self.containers().items()}

    def group(self, pool: str = "workers") -> Mapping[str, Any]:
        name = f"{self.cloud.settings.fleet}-{pool}"
        answer = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return cast(Mapping[str, Any], answer["AutoScalingGroups"][0])

    def hold(self, count: int, pool: str = "workers") -> None:
        """Have the group bring that many nodes, and the scaler leave them there, though they are empty."""
        name = f"{self.cloud.settings.fleet}-{pool}"
        sizes = {"MinSize": count, "DesiredCapacity": count}
        self.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, **sizes)

    def let_go(self, pool: str = "workers") -> None:
        """Give the group its least size of the settings back."""
        name = f"{self.cloud.settings.fleet}-{pool}"
        least = self.cloud.settings.pools[pool].min
        self.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=name, MinSize=least)

    @contextmanager
    def suspended(self, process: str, *pools: str) -> Iterator[None]:
        """While the groups refuse it, an alarm's or an event's one action can be had without anything coming of it."""
        client = self.client("autoscaling")
        groups = [f"{self.cloud.settings.fleet}-{pool}" for pool in pools or ("workers",)]
        for group in groups:
            client.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=[process])
        try:
            yield
        finally:
            for group in groups:
                client.resume_processes(AutoScalingGroupName=group, ScalingProcesses=[process])

    @contextmanager
    def unscheduled(self) -> Iterator[None]:
        """While no schedule fires: what happens comes from requests, alarms and events alone."""
        client = self.client("events")
        rules = [rule["Name"] for rule in client.list_rules()["Rules"] if rule.get("ScheduleExpression")]
        assert rules
        for rule in rules:
            client.disable_rule(Name=rule)
        try:
            yield
        finally:
            for rule in rules:
                client.enable_rule(Name=rule)

    def tell(self, kind: str, **detail: str) -> None:
        """Put an event of the fleet's own on its bus, as its functions do."""
        fleet = self.cloud.settings.fleet
        entry = {"Source": f"swarmkeeper.{fleet}", "DetailType": kind, "Detail": json.dumps({"fleet": fleet, **detail})}
        assert self.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def wait(self, what: str, happened: Callable[[], T | None], *, limit_s: float) -> T:
        """What `happened` gives once it is neither None nor False nor empty; fails the test at the deadline."""
        limit_s *= SLACK
        deadline = time.monotonic() + limit_s
        while not (found := happened()):
            assert time.monotonic() < deadline, f"{what} did not happen within {limit_s:g} s; {self._standing()}"
            time.sleep(PAUSE_S)
        return found

    def first_worker(self, *, limit_s: float = 150) -> NodeView:
        return self.wait("a ready worker", lambda: self.nodes("ready"), limit_s=limit_s)[0]

    def passed(self, kind: str, **details: str) -> list[Mapping[str, object]]:
        """Details of the events of that kind that passed the bus."""
        events = (passed.event for passed in self.cloud.bus.history())
        found = [event.detail for event in events if event.detail_type == kind]
        return [detail for detail in found if all(detail.get(key) == value for key, value in details.items())]

    def _standing(self) -> str:
        listed = self.fleet.list()
        nodes = [(node["id"], node["state"], node.get("reason")) for node in listed["nodes"]]
        states = [(one["name"], one["state"], one.get("reason")) for one in listed["containers"]]
        groups = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        counted = {group["AutoScalingGroupName"]: group["DesiredCapacity"] for group in groups}
        return f"nodes {nodes}, containers {states}, desired {counted}"
