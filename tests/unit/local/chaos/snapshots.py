"""A small fleet at rest as it is seen from outside, for tests to break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from local.chaos.ledger import Entry, Fate
from local.chaos.snapshot import Amount, ContainerRecord, Group, NodeRecord, OnEngine, Snapshot

CONTAINER = Amount(100, 64, 1)
OFFERED = Amount(1000, 1000)


def a_node(node_id: str, *names: str, state: str = "ready", slots: int | None = 8) -> NodeRecord:
    holds: Mapping[str, Amount] = dict.fromkeys(names, CONTAINER)
    held = Amount(100 * len(names), 64 * len(names), len(names))
    return NodeRecord(node_id, "workers", "worker", state, OFFERED, held, slots, holds)


def running(name: str, node: str, *, reason: str = "", moving_to: str = "") -> ContainerRecord:
    return ContainerRecord(name, "running", node, moving_to, reason)


def pending(name: str, reason: str = "no room") -> ContainerRecord:
    return ContainerRecord(name, "pending", reason=reason)


def at_rest() -> Snapshot:
    """Two workers; `a` and `b` run on the first, `c` on the second, `d` waits."""
    nodes = (a_node("i-1", "a", "b"), a_node("i-2", "c"))
    containers = (running("a", "i-1"), running("b", "i-1"), running("c", "i-2"), pending("d"))
    return Snapshot(
        nodes={node.id: node for node in nodes},
        containers={one.name: one for one in containers},
        engines={"i-1": (OnEngine("a", True), OnEngine("b", True)), "i-2": (OnEngine("c", True),)},
        swarm={"i-1": True, "i-2": True},
        groups=(Group("workers", 2, 1, 4, {"i-1": "InService", "i-2": "InService"}),),
    )


def accepted(*names: str) -> list[Entry]:
    return [Entry(name, True, Fate.ACCEPTED) for name in names or ("a", "b", "c", "d")]


def with_node(seen: Snapshot, node: NodeRecord) -> Snapshot:
    return replace(seen, nodes={**seen.nodes, node.id: node})


def with_container(seen: Snapshot, record: ContainerRecord) -> Snapshot:
    return replace(seen, containers={**seen.containers, record.name: record})


def with_engine(seen: Snapshot, machine: str, *held: OnEngine) -> Snapshot:
    return replace(seen, engines={**seen.engines, machine: held})


def without_container(seen: Snapshot, name: str) -> Snapshot:
    return replace(seen, containers={key: one for key, one in seen.containers.items() if key != name})
