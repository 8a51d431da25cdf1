"""Make the table match what an engine really holds.

What each side may hold alone, and what becomes of it:
- RUNNING here in the table, gone from the engine: removed behind the fleet's back. It is pending again, as when its
  node had died: who wants it gone removes it through the fleet.
- RUNNING here in the table, stopped on the engine: its process has ended. It keeps its reservation, since its file
  system is still there, and its record says so.
- on the engine, while the table has it running elsewhere: an old copy, removed (I2).
- on the engine, never started, of nobody: what a call left that died while the engine still worked, removed.
- on the engine, started, of nobody: reported only; the table may have been restored from an older one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Node, NodeId, Quota, Role, unlimited
from swarmkeeper.errors import Conflict, InvalidInput, Unavailable
from swarmkeeper.ports import Clock, EngineContainer, Engines, StateStore
from swarmkeeper.services.health import HEALTHY, NodeHealth
from swarmkeeper.services.recording import is_closed

LEFT_BEHIND_S = 600.0
"""How old a copy that was never started must be: younger ones may be in the making."""
HAS_ENDED = "its process has ended"
LOOKED_AT = frozenset({NodeState.READY, NodeState.DRAINING})


@dataclass(frozen=True, slots=True)
class Found:
    """What an inventory found and did, by the containers' names."""

    node_id: NodeId
    gone: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


class Inventory:
    """Compares one node's engine with the table."""

    def __init__(
        self,
        *,
        store: StateStore,
        engines: Engines,
        clock: Clock,
        quota_of: Callable[[str], Quota | None] = unlimited,
    ) -> None:
        self._store = store
        self._engines = engines
        self._clock = clock
        self._quota_of = quota_of
        self._health = NodeHealth(store)

    def check(self, node_id: NodeId) -> Found:
        """Make good what differs. Raises Unavailable when the engine does not answer."""
        node = self._store.node(node_id)
        if node is None or node.state not in LOOKED_AT or is_closed(node):
            return Found(node_id)
        # The table first: what is confirmed between the two reads must not look as if it were gone.
        held = [each for each in self._store.containers_on(node_id) if _settled_on(each, node_id)]
        there = {each.name: each for each in self._listed(node)}
        gone = tuple(each.name for each in held if each.name not in there and self._wait_again(each))
        ended = tuple(each.name for each in held if each.name in there and self._note_end(each, there[each.name]))
        removed, strange = self._strays(node, there, {each.name for each in held})
        self._count_late(held)
        self._store.record_images(node.id, self._engines.images(node))
        return Found(node_id, gone, ended, removed, strange)

    def clear_strays(self, node: Node) -> tuple[str, ...]:
        """Remove what by the table lives elsewhere, or waits to, before the node serves again; returns the names.

        Raises Unavailable when the engine does not answer.
        """
        removed = []
        for each in self._engines.containers(node):
            known = self._store.container(ContainerName(each.name))
            if known is not None and node.id not in (known.node, known.moving_to):
                self._engines.remove(node, each.id)
                removed.append(each.name)
        return tuple(removed)

    def start_again(self, node: Node, containers: Sequence[Container]) -> None:
        """Start those that the node's engine has stopped: it was started anew, and has no restart policy.

        Raises Unavailable when the engine does not answer.
        """
        stopped = {each.name for each in self._engines.containers(node) if not each.running}
        for container in containers:
            if container.name not in stopped or not _settled_on(container, node.id):
                continue
            try:
                self._engines.start(node, container.engine_id)
            except (Conflict, InvalidInput):  # it can't run any more: the next look finds it ended
                continue

    def note_images(self, node_id: NodeId) -> None:
        """Record which images the node holds, so that placement may prefer or ask for them.

        Raises Unavailable when the engine does not answer.
        """
        node = self._store.node(node_id)
        if node is not None and node.role is Role.WORKER and node.state in LOOKED_AT:
            self._store.record_images(node_id, self._engines.images(node))

    def _listed(self, node: Node) -> tuple[EngineContainer, ...]:
        """The engine's containers; whether it answers is what the node's health tells."""
        try:
            listed = self._engines.containers(node)
        except Unavailable:
            self._health.failed(node.id)
            raise
        if node.health < HEALTHY:
            self._health.answered(node.id)
        return listed

    def _count_late(self, held: Sequence[Container]) -> None:
        """Count what was accepted before its tenant had a quota towards it."""
        for each in held:
            if each.counted or self._quota_of(each.request.tenant) is None:
                continue
            try:
                self._store.count(each)
            except Conflict:  # it has moved on; the next look counts it
                continue

    def _wait_again(self, container: Container) -> bool:
        reason = f"it was removed on {container.node} behind the fleet's back"
        try:
            self._store.unplace(container, reason=reason)
        except Conflict:  # moved or removed by us, after the first read
            return False
        return True

    def _note_end(self, container: Container, there: EngineContainer) -> bool:
        """Whether its process has ended since the last look; the record says so from then on, until it runs again."""
        is_noted = container.reason == HAS_ENDED
        if there.running is not is_noted:
            return False
        try:
            self._store.explain(container, reason="" if there.running else HAS_ENDED)
        except Conflict:
            return False
        return not there.running

    def _strays(
        self, node: Node, there: Mapping[str, EngineContainer], held: set[ContainerName]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        removed: list[str] = []
        strange: list[str] = []
        for each in there.values():
            if each.name in held or not self._is_stray(each, node):
                continue
            if self._may_go(each):
                self._engines.remove(node, each.id)
                removed.append(each.name)
            elif each.has_run:
                strange.append(each.name)
        return tuple(removed), tuple(strange)

    def _is_stray(self, there: EngineContainer, node: Node) -> bool:
        """Whether the table, read again, has nothing of the name on this node."""
        container = self._store.container(ContainerName(there.name))
        return container is None or node.id not in (container.node, container.moving_to)

    def _may_go(self, there: EngineContainer) -> bool:
        container = self._store.container(ContainerName(there.name))
        if container is not None and container.state is ContainerState.RUNNING:
            return True
        return not there.has_run and self._clock.now() >= there.created_at + LEFT_BEHIND_S


def _settled_on(container: Container, node_id: NodeId) -> bool:
    """Whether it should be on the node's engine, and nobody is just stopping or moving it."""
    return container.state is ContainerState.RUNNING and container.node == node_id and container.moving_to is None
