"""Make records anew of the containers that an engine holds.

What the table says already wins, unless it contradicts what lives: a container that runs is no container that waits,
and none that runs elsewhere when its copy there does not. Nothing is removed here, neither records nor containers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Node, Quota, Snapshot
from swarmkeeper.errors import Conflict, Contention, InvalidInput, NodeChanged, Unavailable
from swarmkeeper.ports import Clock, EngineContainer, EngineRecord, Engines, StateStore, Watches
from swarmkeeper.services.inventory import HAS_ENDED
from swarmkeeper.services.lifetimes import LOOK_S, first_watch
from swarmkeeper.services.writers import Writers


class Finding(StrEnum):
    """What was found of a node or a container."""

    REBUILT = "rebuilt"
    THERE = "already there"
    STRANGE = "strange"
    """Not recorded; why, is said."""
    DUPLICATE = "duplicate"
    """The name is another copy's."""


@dataclass(frozen=True, slots=True)
class FoundContainer:
    """A container on an engine, and what became of its record."""

    name: str
    finding: Finding
    detail: str = ""


class Recorder:
    """Records what engines hold; safe to repeat, and beside whatever else goes on."""

    def __init__(
        self,
        *,
        store: StateStore,
        engines: Engines,
        watches: Watches,
        clock: Clock,
        quota_of: Callable[[str], Quota | None],
    ) -> None:
        self._store = store
        self._engines = engines
        self._watches = watches
        self._clock = clock
        self._quota_of = quota_of
        self._writers = Writers(store=store, clock=clock)
        self._counting: dict[str, Lock] = {}

    def record(self, node: Node) -> tuple[FoundContainer, ...]:
        """Record all that the node's engine holds. Raises Unavailable when the engine does not answer."""
        # The engine first: a container is on it only while it is in the table, so what the table lacks after that
        # was lost there, or is gone from the engine by the time it is recalled.
        listed = self._engines.containers(node)
        held = {each.name: each for each in self._store.containers_on(node.id)}
        found = (self._container(node, each, held.get(ContainerName(each.name))) for each in listed)
        return tuple(each for each in found if each is not None)

    def _container(self, node: Node, there: EngineContainer, held: Container | None) -> FoundContainer | None:
        """What becomes of one container's record; None when it has gone meanwhile."""
        if not there.name:
            return FoundContainer(there.id, Finding.STRANGE, "it has no name of the fleet")
        known = held or self._store.container(ContainerName(there.name))
        try:
            return self._judge(node, there, known) if known is not None else self._restore(node, there)
        except NodeChanged as changed:
            return FoundContainer(there.name, Finding.STRANGE, str(changed))
        except Contention as contention:  # nothing is known, so the node must not be opened
            raise Unavailable(f"{there.name}: {contention}") from contention
        except Conflict as conflict:  # accepted, moved or removed at this moment
            return FoundContainer(there.name, Finding.STRANGE, f"{conflict}: it changed meanwhile")
        except InvalidInput as problem:
            return FoundContainer(there.name, Finding.STRANGE, str(problem))

    def _restore(self, node: Node, there: EngineContainer) -> FoundContainer | None:
        if not there.has_run:
            # What made it may be a move that was cut off: started, it would run beside its original.
            return FoundContainer(there.name, Finding.STRANGE, "it was never started")
        told = self._engines.recall(node, there.id)
        if told is None:
            return None
        self._keep(_as_it_lives(node, there, told, counted=self._quota_of(told.request.tenant) is not None))
        return FoundContainer(there.name, Finding.REBUILT, told.doubt)

    def _judge(self, node: Node, there: EngineContainer, known: Container) -> FoundContainer | None:
        """What becomes of a container whose name the table knows."""
        if known.moving_to == node.id or (known.node == node.id and known.engine_id in ("", there.id)):
            return FoundContainer(there.name, Finding.THERE)
        standing = f"it is {known.state} on {known.node}" if known.node else f"it is {known.state}"
        duplicate = FoundContainer(there.name, Finding.DUPLICATE, standing)
        if known.node == node.id or not there.running or not self._is_idle(known):
            return duplicate
        told = self._engines.recall(node, there.id)
        if told is None:
            return None
        if self._runs(known) or not _is_of(known, told):
            return duplicate
        # The request as it is known is better than what an engine may have to guess.
        living = _as_it_lives(node, there, replace(told, request=known.request), counted=known.counted)
        kept = replace(
            living,
            requested_at=known.requested_at,
            started_at=known.started_at or living.started_at,
            snapshot=known.snapshot or living.snapshot,
        )
        self._keep(kept, over=known)
        return FoundContainer(there.name, Finding.REBUILT, f"{standing} no longer: its copy here runs")

    def _keep(self, container: Container, *, over: Container | None = None) -> None:
        now = self._clock.now()
        watch = first_watch(container.request, now=now)
        if watch is not None:  # first, lest a call that dies here leave it unwatched; soon, since it has run for long
            self._watches.save_watch(replace(watch, due=min(watch.due, now + LOOK_S)))
        # All that counts towards one quota writes the same item, where many writers at once would all lose.
        self._writers.restore(container)
        one_by_one = self._counting.setdefault(container.request.tenant, Lock())
        with one_by_one if container.counted else nullcontext():
            self._store.restore(container, over=over)

    def _is_idle(self, known: Container) -> bool:
        """Whether nobody works on it, so that what the table says of it may be out of date."""
        settled = known.state in (ContainerState.PENDING, ContainerState.RUNNING) and known.moving_to is None
        return settled and known.lease_until <= self._clock.now()

    def _runs(self, known: Container) -> bool:
        """Whether a copy runs where the table says; an engine that does not answer may run it."""
        node = None if known.node is None else self._store.node(known.node)
        if node is None or node.state is NodeState.GONE:
            return False
        try:
            return any(each.name == known.name and each.running for each in self._engines.containers(node))
        except Unavailable:
            return True


def _as_it_lives(node: Node, there: EngineContainer, told: EngineRecord, *, counted: bool) -> Container:
    return Container(
        told.request,
        ContainerState.RUNNING,
        requested_at=there.created_at,
        node=node.id,
        reason="" if there.running else HAS_ENDED,
        engine_id=there.id,
        started_at=there.created_at if told.started_at is None else told.started_at,
        counted=counted,
        snapshot=_snapshot_of(there, told),
    )


def _snapshot_of(there: EngineContainer, told: EngineRecord) -> Snapshot | None:
    """What it was made from, where that was not its image: its own layer as it was saved by then."""
    if not told.request.keeps_layer or told.image in ("", told.request.image):
        return None
    return Snapshot(told.image, taken_at=there.created_at)


def _is_of(known: Container, told: EngineRecord) -> bool:
    """Whether the copy was made by the known request, as far as its engine can tell."""
    return bool(told.doubt) or told.request == known.request
