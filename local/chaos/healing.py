"""When a fault has healed, by what is seen from outside."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from local.chaos.judge import PENDING, RUNNING, SERVING
from local.chaos.snapshot import GONE, IN_SERVICE, Group, NodeRecord, Snapshot

DRAINING = "draining"


class Healing(Protocol):
    """Watches one fault, snapshot by snapshot, once it has passed."""

    def healed(self, seen: Snapshot) -> bool: ...

    def waits_for(self, seen: Snapshot) -> tuple[str, ...]:
        """What is not as it must be, by names."""


class NodeHealed:
    """The node has gone without a trace, or serves again if it can, and all that ran on it runs.

    Its group has as many in service as it must have.
    """

    def __init__(self, node: str, before: Snapshot, *, returns: bool) -> None:
        self._node = node
        self._returns = returns
        self._names = [one.name for one in before.containers.values() if node in (one.node, one.moving_to)]

    def healed(self, seen: Snapshot) -> bool:
        return not self.waits_for(seen)

    def waits_for(self, seen: Snapshot) -> tuple[str, ...]:
        is_settled = self._is_gone(seen) or (self._returns and self._serves(seen))
        nodes = () if is_settled else (self._node,)
        groups = tuple(group.pool for group in seen.groups if not _is_whole(group, seen))
        return (*nodes, *groups, *(name for name in self._names if not _runs(seen, name)))

    def _is_gone(self, seen: Snapshot) -> bool:
        record = seen.nodes.get(self._node)
        is_buried = record is None or record.state == GONE
        return is_buried and self._node not in seen.swarm and not seen.lifecycle(self._node)

    def _serves(self, seen: Snapshot) -> bool:
        record = seen.nodes.get(self._node)
        return record is not None and record.state in SERVING and seen.swarm.get(self._node, False)


class WorkDone:
    """What stood between two states when the fault had passed has come to rest since, each at its own time.

    Nodes that other faults have `hit`, and what stands on them, heal with those.
    """

    def __init__(self, before: Snapshot, hit: Collection[str]) -> None:
        elsewhere = {one.name for one in before.containers.values() if {one.node, one.moving_to}.isdisjoint(hit)}
        self._names = {name for name in elsewhere if not _container_rests(before, name)}
        there = {*before.nodes, *(instance for group in before.groups for instance in group.instances)} - set(hit)
        self._nodes = {node for node in there if not _node_rests(before, node)}

    def healed(self, seen: Snapshot) -> bool:
        self._names = {name for name in self._names if not _container_rests(seen, name)}
        self._nodes = {node for node in self._nodes if not _node_rests(seen, node)}
        return not self._names and not self._nodes

    def waits_for(self, seen: Snapshot) -> tuple[str, ...]:
        return (*sorted(self._nodes), *sorted(self._names))


def _is_whole(group: Group, seen: Snapshot) -> bool:
    """Whether as many as there must be are in service, and serve."""
    in_service = [instance for instance, lifecycle in group.instances.items() if lifecycle == IN_SERVICE]
    return sum(_node_rests(seen, instance) for instance in in_service) >= group.least


def _runs(seen: Snapshot, name: str) -> bool:
    """Whether it runs where the table has it, or has been removed."""
    record = seen.containers.get(name)
    if record is None:
        return True
    return record.state == RUNNING and record.node in seen.copies(name)


def _container_rests(seen: Snapshot, name: str) -> bool:
    record = seen.containers.get(name)
    if record is None:
        return True
    return record.state in (RUNNING, PENDING) and not record.moving_to


def _holds_unmovable(seen: Snapshot, node: NodeRecord) -> bool:
    return any(not seen.containers[name].movable for name in node.holds if name in seen.containers)


def _node_rests(seen: Snapshot, node: str) -> bool:
    """Whether it serves, and in its group too, or is in neither; or waits, as it must, for what can't be moved."""
    record = seen.nodes.get(node)
    if record is not None and record.state == DRAINING and _holds_unmovable(seen, record):
        return True
    state = GONE if record is None else record.state
    lifecycle = seen.lifecycle(node)
    if lifecycle == IN_SERVICE:
        return state in SERVING
    return state == GONE and not lifecycle
