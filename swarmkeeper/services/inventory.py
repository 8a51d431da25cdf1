"""Make the table match what an engine really holds.

What each side may hold alone, and what becomes of it:
- RUNNING here in the table, gone from the engine: removed behind the fleet's back. It is pending again, as when its
  node had died: who wants it gone removes it through the fleet.
- RUNNING here in the table, stopped on the engine, which was started anew since: started again, once for each start of
  the engine. No restart policy does it, lest an old copy of what lives elsewhere by now were there before us.
- RUNNING here in the table, stopped on the engine otherwise: its process has ended. It keeps its reservation, since its
  file system is still there, and its record says so.
- on the engine, while the table has it running elsewhere: an old copy, removed (I2).
- on the engine, never started, of nobody: what a call left that died while the engine still worked, removed.
- on the engine, started, of nobody: reported only; the table may have been restored from an older one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    ContainerState,
    Node,
    NodeId,
    Quota,
    Role,
    unlimited,
)
from swarmkeeper.domain.placement.wish import dependencies_of
from swarmkeeper.errors import Conflict, InvalidInput, Unavailable
from swarmkeeper.ports import Clock, EngineContainer, Engines, StateStore
from swarmkeeper.services.health import HEALTHY, NodeHealth
from swarmkeeper.services.recording import is_closed

LEFT_BEHIND_S = 600.0
"""How old a copy that was never started must be: younger ones may be in the making."""
HAS_ENDED = "its process has ended"
STOPPING_S = 60.0
"""How long an engine may take from the first container that it stops to its next start."""
NOT_YET = "its engine was started anew, and does not start it yet"
START_LEASE_S = 60.0
"""While it is started again nobody moves or removes it. An engine gives up a start well before."""
LOOKED_AT = frozenset({NodeState.READY, NodeState.DRAINING})


@dataclass(frozen=True, slots=True)
class Found:
    """What an inventory found and did, by the containers' names."""

    node_id: NodeId
    gone: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
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
        cut_off = [each for each in held if each.name in there and self._is_cut_off(node, each, there[each.name])]
        others = [each for each in held if each.name in there and each not in cut_off]
        ended = tuple(each.name for each in others if self._note_end(each, there[each.name]))
        removed, strange = self._strays(node, there, {each.name for each in held})
        self._count_late(held)
        self._store.record_images(node.id, self._engines.images(node))
        started = self._started_anew(node, cut_off)
        return Found(node_id, gone, started, ended, removed, strange)

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

    def _is_cut_off(self, node: Node, container: Container, there: EngineContainer) -> bool:
        """Whether it has ended with its engine.

        What is noted to have ended stays ended, unless that was while its engine was being stopped: an engine that goes
        down in good order ends containers first, and answers meanwhile.
        """
        if there.running:
            return False
        within_s = STOPPING_S if container.reason == HAS_ENDED else None
        return self._engines.ended_with_engine(node, there.id, within_s=within_s)

    def _started_anew(self, node: Node, containers: Sequence[Container]) -> tuple[str, ...]:
        """Start them; returns the names of those that run. Raises Unavailable at the end when some may start yet."""
        started, waiting = [], []
        for container in sorted(containers, key=_leans_on_others):  # they first: it needs their network, say
            try:
                if self._start_anew(node, container):
                    started.append(container.name)
            except Unavailable as error:
                waiting.append(str(error))
        if waiting:
            raise Unavailable(f"{node.id}: {waiting[0]} ({len(waiting)} wait to be started again)")
        return tuple(started)

    def _start_anew(self, node: Node, container: Container) -> bool:
        """False when it can't run any more, or isn't ours to start. Raises Unavailable when it may start yet."""
        if container.lease_until > self._clock.now():
            raise Unavailable(f"{container.name} is being worked on")
        try:
            mine = self._store.lease(container, until=self._clock.now() + START_LEASE_S)
        except Conflict:  # somebody moves or removes it
            return False
        try:
            self._engines.start(node, mine.engine_id)
        except (Conflict, InvalidInput) as error:
            if _leans_on_others(container):  # on one that does not run yet itself
                self._told(mine, NOT_YET)
                raise Unavailable(str(error)) from error
            self._told(mine, HAS_ENDED)
            return False
        except Unavailable:
            self._told(mine, NOT_YET)
            raise
        self._told(mine, "")
        return True

    def _note_end(self, container: Container, there: EngineContainer) -> bool:
        """Whether its process has ended since the last look; the record says so from then on, until it runs again."""
        told = container.reason
        is_true = told not in (HAS_ENDED, NOT_YET) if there.running else told == HAS_ENDED
        if is_true:
            return False
        return self._told(container, "" if there.running else HAS_ENDED) and not there.running

    def _told(self, container: Container, reason: str) -> bool:
        """Say so in the record; False when somebody moves or removes it by now, and sees to its copies."""
        try:
            self._store.explain(container, reason=reason)
        except Conflict:
            return False
        return True

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


def _leans_on_others(container: Container) -> bool:
    return bool(dependencies_of(container.request.rules))


def _settled_on(container: Container, node_id: NodeId) -> bool:
    """Whether it should be on the node's engine, and nobody is just stopping or moving it."""
    return container.state is ContainerState.RUNNING and container.node == node_id and container.moving_to is None
