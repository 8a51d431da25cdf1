"""End what has waited, run or idled for as long as its request allows.

Nothing here is exact to the second: the schedule runs each minute. A request expires only before its first start,
whether it waits for a node or for its image there: one that has run and lost its node is waited for. Idle means that
the container has sent next to nothing on its networks; what it receives does not count, since every container on a
node hears its neighbours' broadcasts, and a container that doesn't run is idle.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Lifetime, Request
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Clock, Engines, Event, Events, StateStore, Watch, Watches
from swarmkeeper.services.remover import Remover

LOOK_S = 60.0
"""The time between two looks at a container that may not idle; the schedule looks no more often."""
LOOKS_A_PASS = 1000
"""Looks of one pass, the longest overdue first; the others have their turn a minute later."""
LOOKS_AT_ONCE = 16
PASS_S = 25.0
"""No look is begun later than this in a pass, which has less than a minute."""
NOISE_BYTES = 1024
"""What a container may send without being at work: answers to its neighbours' address resolution."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A container whose time was up, and how."""

    name: ContainerName
    reason: str


def first_watch(request: Request, *, now: float) -> Watch | None:
    """When to look first at a container that is about to start; None when its life has no limit."""
    if not _is_limited(request):
        return None
    return Watch(request.name, due=_next_look(request.lifetime, started_at=now, now=now), changed_at=now)


class Lifetimes:
    """Use case of the reconciler function."""

    def __init__(
        self,
        *,
        fleet_name: str,
        store: StateStore,
        watches: Watches,
        engines: Engines,
        events: Events,
        remover: Remover,
        clock: Clock,
    ) -> None:
        self._fleet_name = fleet_name
        self._store = store
        self._watches = watches
        self._engines = engines
        self._events = events
        self._remover = remover
        self._clock = clock

    def end_overdue(self) -> tuple[Expired, ...]:
        """End what is overdue; what an engine does not answer for has its turn in the next pass."""
        waited = [self._end(each, why) for each in self._waiting() if (why := self._waited_out(each))]
        until = self._clock.now() + PASS_S
        watches = self._watches.due_watches(now=self._clock.now(), most=LOOKS_A_PASS)
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            ran = list(pool.map(lambda watch: self._look(watch, until), watches))
        return tuple(each for each in (*waited, *ran) if each is not None)

    def _waiting(self) -> Iterator[Container]:
        yield from self._store.pending()
        unsettled = self._store.unsettled(now=self._clock.now())
        yield from (each for each in unsettled if each.state is ContainerState.RESERVED)

    def _waited_out(self, container: Container) -> str:
        longest_s = container.request.lifetime.pending_s
        if longest_s is None or container.started_at is not None:
            return ""
        waited_s = self._clock.now() - container.requested_at
        return f"it did not run within {longest_s:g} s: {container.reason}" if waited_s >= longest_s else ""

    def _look(self, watch: Watch, until: float) -> Expired | None:
        if self._clock.now() >= until:
            return None
        container = self._store.container(watch.name)
        if container is None or container.state is ContainerState.REMOVING or not _is_limited(container.request):
            self._watches.drop_watch(watch)  # the name may be another's by now
            return None
        now = self._clock.now()
        if container.state is not ContainerState.RUNNING or container.moving_to is not None:
            self._watches.save_watch(replace(watch, due=now + LOOK_S))
            return None
        watch = self._measured(watch, container)
        if why := self._lived_out(container, watch):
            return self._end(container, why)
        due = _next_look(container.request.lifetime, started_at=container.started_at or now, now=now)
        self._watches.save_watch(replace(watch, due=due))
        return None

    def _measured(self, watch: Watch, container: Container) -> Watch:
        """The watch after a look at what the container has sent, where that matters."""
        node = None if container.node is None else self._store.node(container.node)
        if container.request.lifetime.idle_s is None or node is None:
            return watch
        now = self._clock.now()
        try:
            sent = self._engines.sent_bytes(node, container.engine_id)
        except Unavailable:  # not known to be idle
            return replace(watch, changed_at=now)
        if sent is None or (watch.sent_bytes is not None and 0 <= sent - watch.sent_bytes <= NOISE_BYTES):
            return watch
        return replace(watch, sent_bytes=sent, changed_at=now)

    def _lived_out(self, container: Container, watch: Watch) -> str:
        life, now = container.request.lifetime, self._clock.now()
        started_at = now if container.started_at is None else container.started_at
        if life.running_s is not None and now >= started_at + life.running_s:
            return f"its {life.running_s:g} s were over"
        if life.idle_s is not None and now >= watch.changed_at + life.idle_s:
            return f"it sent nothing for {life.idle_s:g} s"
        return ""

    def _end(self, container: Container, why: str) -> Expired | None:
        """Tell of it, then remove it: what dies in between is told of twice rather than not at all."""
        detail = {
            "fleet": self._fleet_name,
            "name": container.name,
            "tenant": container.request.tenant,
            "reason": why,
        }
        self._events.publish(Event.CONTAINER_EXPIRED, [detail])
        try:
            self._remover.remove(container)
        except (Conflict, Unavailable):  # changed meanwhile, or its engine does not answer: the next pass looks again
            return None
        return Expired(container.name, why)


def _is_limited(request: Request) -> bool:
    return request.lifetime.running_s is not None or request.lifetime.idle_s is not None


def _next_look(life: Lifetime, *, started_at: float, now: float) -> float:
    """When the container's time may be up, or it is to be measured again."""
    times = [] if life.running_s is None else [started_at + life.running_s]
    return min([*times, now + LOOK_S] if life.idle_s is not None else times)
