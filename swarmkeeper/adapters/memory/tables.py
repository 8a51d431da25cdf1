"""What is stored, and an index that may lag behind it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    Image,
    Node,
    NodeId,
    Occupant,
    PoolName,
    Resources,
    Usage,
)
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.ports import NodeChange


@dataclass(slots=True)
class Tables:
    """What is stored."""

    nodes: dict[NodeId, Node] = field(default_factory=dict)
    held: dict[NodeId, dict[ContainerName, Occupant]] = field(default_factory=dict)
    images: dict[NodeId, tuple[Image, ...]] = field(default_factory=dict)
    containers: dict[ContainerName, Container] = field(default_factory=dict)
    tenants: dict[str, Usage] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    claims: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By token: what it was first given with, and when that is forgotten."""
    scaling: dict[PoolName, ScalingState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A node as the index shows it from `visible_at` on; `changed_at` is its writer's clock."""

    visible_at: float
    changed_at: float
    node: Node


class ChangeIndex:
    """The nodes by the time of their last write; each write shows only when the lag has passed."""

    def __init__(self) -> None:
        self._entries: dict[NodeId, deque[_Entry]] = {}

    def note(self, node: Node, *, visible_at: float, changed_at: float) -> None:
        entries = self._entries.setdefault(node.id, deque())
        entries.append(_Entry(visible_at, changed_at, node))

    def changed(self, since: float, *, now: float) -> tuple[NodeChange, ...]:
        """The nodes that the index shows, at `now`, as last written after `since`."""
        shown = (self._shown(entries, now) for entries in self._entries.values())
        return tuple(_change(one.node) for one in shown if one is not None and one.changed_at > since)

    def listed(self, *, now: float) -> list[NodeId]:
        """The nodes that the index shows and that are not GONE as it shows them."""
        shown = [self._shown(entries, now) for entries in self._entries.values()]
        return [one.node.id for one in shown if one is not None and one.node.state is not NodeState.GONE]

    def _shown(self, entries: deque[_Entry], now: float) -> _Entry | None:
        while len(entries) > 1 and entries[1].visible_at <= now:
            entries.popleft()
        return entries[0] if entries[0].visible_at <= now else None


def _change(node: Node) -> NodeChange:
    reserved = Resources(node.reserved.nano_cpus, node.reserved.memory_bytes)
    return NodeChange(node.id, node.state, node.epoch, node.revision, reserved, node.containers)
