"""Looks at a running cloud from outside: the raw table, the engines, the managers' list, the groups."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from local.aws.server import AwsServer
from local.chaos.hands import Hands
from local.chaos.snapshot import Amount, ContainerRecord, Group, NodeRecord, OnEngine, Snapshot
from local.cloud import LocalCloud
from local.machines import MachineError
from local.machines.simulated_network import Refusal
from local.starter import LocalCloudError

NODE, CONTAINER, META, HOLDS = "NODE#", "CONTAINER#", "META", "HOLDS#"
KEPT_TEXTS = 1024
"""Of requests and occupants, which stand in the table unchanged from look to look: each is parsed once."""
Item = Mapping[str, Any]


class Sight:
    """Takes snapshots. The table is read at one moment, the rest right after; the product's code is not asked."""

    def __init__(self, cloud: LocalCloud, hands: Hands) -> None:
        self._cloud = cloud
        self._hands = hands
        self._fleet = cloud.settings.fleet
        self._groups = {f"{self._fleet}-{pool}": pool for pool in cloud.settings.pools}
        self._swarm: Mapping[str, bool] = {}

    def look(self) -> Snapshot:
        """All but the Swarm, which is as the last `look_deeply` saw it: asking a manager takes real ones their time."""
        nodes, containers = read_table(self._items())
        return Snapshot(time.monotonic(), nodes, containers, self._engines(), self._swarm, self._described())

    def look_deeply(self) -> Snapshot:
        """The Swarm's list too."""
        self._swarm = self._members()
        return self.look()

    def _engines(self) -> Mapping[str, tuple[OnEngine, ...]]:
        return self._hands.look()

    def _items(self) -> list[Item]:
        return table_items(self._cloud.server, f"{self._fleet}-state")

    def _described(self) -> tuple[Group, ...]:
        return tuple(
            Group(self._groups[size.name], size.desired, size.least, size.most, size.instances)
            for size in self._cloud.autoscaling.sizes()
            if size.name in self._groups
        )

    def _members(self) -> Mapping[str, bool]:
        """By the first manager that answers; the last known while none does."""
        try:
            listed = self._cloud.swarm()["nodes"]
        except (LocalCloudError, MachineError, Refusal):
            return self._swarm
        assert isinstance(listed, list)  # noqa: S101  what Cloud.swarm answers
        return {str(one["hostname"]): one["status"] == "Ready" for one in listed}


def table_items(server: AwsServer, table: str) -> list[Item]:
    """All of a table's items at one moment, in no order, as a scan tells them, but without their lists and maps.

    A scan through the API costs hundreds of times as much, and moto's own way in process, which sorts, five times.
    """
    with server.alone("dynamodb"):
        partitions = server.backend("dynamodb").tables[table].items.values()
        return [_plain(item.attrs) for partition in partitions for item in partition.values()]


def _plain(attributes: Mapping[str, Any]) -> Item:
    return {
        name: {held.type: held.value} for name, held in attributes.items() if not isinstance(held.value, list | dict)
    }


def read_table(items: list[Item]) -> tuple[dict[str, NodeRecord], dict[str, ContainerRecord]]:
    """The nodes and containers among a table's items."""
    holds: dict[str, dict[str, Amount]] = {}
    for item in items:
        key, sort = item["pk"]["S"], item["sk"]["S"]
        if key.startswith(NODE) and sort.startswith(HOLDS):
            holds.setdefault(key.removeprefix(NODE), {})[sort.removeprefix(HOLDS)] = _held(item["occupant"]["S"])
    found = [(item["pk"]["S"], item) for item in items if item["sk"]["S"] == META]
    nodes = {key.removeprefix(NODE): _node(key.removeprefix(NODE), item) for key, item in found if key.startswith(NODE)}
    nodes = {one: replace(node, holds=holds.get(one, {})) for one, node in nodes.items()}
    containers = [_container(key.removeprefix(CONTAINER), item) for key, item in found if key.startswith(CONTAINER)]
    return nodes, {one.name: one for one in containers}


def _node(node_id: str, item: Item) -> NodeRecord:
    return NodeRecord(
        id=node_id,
        pool=item["pool"]["S"],
        role=item["role"]["S"],
        state=item["state"]["S"],
        capacity=Amount(int(item["capacity_nano_cpus"]["N"]), int(item["capacity_memory_bytes"]["N"])),
        reserved=Amount(
            *(int(item[total]["N"]) for total in ("reserved_nano_cpus", "reserved_memory_bytes", "containers"))
        ),
        slots=int(item["slots"]["N"]) if "N" in item["slots"] else None,
    )


def _container(name: str, item: Item) -> ContainerRecord:
    return ContainerRecord(
        name=name,
        state=item["state"]["S"],
        node=item["node"]["S"] if "node" in item else "",
        moving_to=item["moving_to"]["S"] if "moving_to" in item else "",
        reason=item["reason"]["S"],
        movable=_is_movable(item["request"]["S"]),
    )


@lru_cache(KEPT_TEXTS)
def _held(occupant: str) -> Amount:
    cpus, memory, *_ = json.loads(occupant).get("r", [0, 0])
    return Amount(cpus, memory, 1)


@lru_cache(KEPT_TEXTS)
def _is_movable(request: str) -> bool:
    return bool(json.loads(request)["movable"])
