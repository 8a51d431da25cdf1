"""Requests that wait for room: tried again when some appears, in a fair order, by one pass at a time."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

from swarmkeeper.domain.model import Container, ContainerName, ContainerState, NodeId, Request, Resources, Rules
from swarmkeeper.domain.scaling.packing import largest_first
from swarmkeeper.errors import Conflict, InvalidInput
from swarmkeeper.ports import Clock, Event, Events, StateStore
from swarmkeeper.services.one_pass import OnePass
from swarmkeeper.services.placer import Placer
from swarmkeeper.services.reservations import Placed, Reserver

STARTS_AT_ONCE = 8
"""Engine calls of one call of ours that run side by side; each may take 16 s."""
BURST_S = 10.0
"""Requests of a tenant that come within this time of the first one wait as one burst."""
BEGIN_WITHIN_S = 10.0
"""Nothing more is begun later than this: the function ends after 30 s."""

Shape = tuple[Resources, Rules]


def in_turn(waiting: Iterable[Container]) -> tuple[Container, ...]:
    """The order in which they are tried: oldest first within a tenant, tenants in turn.

    A tenant with a thousand requests keeps one with a single request waiting for one of them only. The tenant that
    has waited longest begins. Requests of one burst are as old as each other: of those the hardest to place go first,
    which is the order that nodes are bought in; else what fits anywhere would fill a node that was bought for them.
    """
    queues: defaultdict[str, list[Container]] = defaultdict(list)
    for container in sorted(waiting, key=lambda each: (each.requested_at, each.name)):
        queues[container.request.tenant].append(container)
    order: list[Container] = []
    turns = deque(deque(_burst_by_burst(queue)) for queue in queues.values())
    while turns:
        queue = turns.popleft()
        order.append(queue.popleft())
        if queue:
            turns.append(queue)
    return tuple(order)


def _burst_by_burst(queue: Sequence[Container]) -> Iterator[Container]:
    """A tenant's requests, oldest first, those of a burst hardest first."""
    burst: list[Container] = []
    for container in queue:
        if burst and container.requested_at > burst[0].requested_at + BURST_S:
            yield from _hardest_first(burst)
            burst = []
        burst.append(container)
    yield from _hardest_first(burst)


def _hardest_first(burst: Sequence[Container]) -> list[Container]:
    """Those with constraints before those without, larger before smaller; equal ones stay as they are.

    Those that others decide on come last: what they wait for may be of the same burst.
    """
    sizes = [container.request.reservation for container in burst]
    scale = Resources(max(size.nano_cpus for size in sizes), max(size.memory_bytes for size in sizes))

    def key(container: Container) -> tuple[bool, bool, tuple[int, int, int]]:
        rules = container.request.rules
        if _looks_at_others(rules):
            return True, False, (0, 0, 0)
        return False, not rules.constraints, largest_first(container.request.reservation, scale)

    return sorted(burst, key=key)


class PendingQueue:
    """Use cases about waiting containers. Safe under any number of concurrent callers."""

    def __init__(
        self,
        *,
        fleet_name: str,
        store: StateStore,
        reserver: Reserver,
        placer: Placer,
        events: Events,
        clock: Clock,
    ) -> None:
        self._fleet_name = fleet_name
        self._store = store
        self._reserver = reserver
        self._placer = placer
        self._events = events
        self._clock = clock
        self._one_pass = OnePass(store=store, clock=clock)

    def retry(self, *, begun: float | None = None) -> tuple[Container, ...]:
        """Try all pending requests; returns those that still wait.

        While another call is at it that one goes round once more, and nothing is done here. What there is no time
        for waits for the schedule: the time counts from when the function was called, in seconds since the epoch, or
        from now.
        """
        if self._store.pending():
            since = self._clock.now() if begun is None else begun
            self._one_pass.run(lambda: self._go_round(since))
        return self._store.pending()

    def settle_named(self, name: ContainerName) -> Container | None:
        """Go on with a container that stands still; returns its record then, None when there is none.

        Raises Unavailable when its engine must answer first and does not.
        """
        container = self._store.container(name)
        if container is not None:
            self._attempt(container)
        return self._store.container(name)

    def image_pulled(self, node_id: NodeId, image: str | None, *, failure: str, begun: float | None = None) -> None:
        """Go on with the containers that waited for an image there; where the pull failed, elsewhere.

        An `image` of None stands for one that we don't know: all that wait there try again. For those that there is no
        time for, counted as `retry` does, an event each is published.
        """
        since = self._clock.now() if begun is None else begun
        node = self._store.node(node_id)
        waiting = [
            each
            for each in self._store.containers_on(node_id)
            if each.node == node_id and image in (None, each.image) and _waits(each, self._clock.now())
        ]
        for position, container in enumerate(waiting):
            if self._is_late(since):
                rest = waiting[position:]
                self._events.publish(
                    Event.PENDING_RETRY, [{"fleet": self._fleet_name, "name": each.name} for each in rest]
                )
                return
            if failure or node is None:
                self._elsewhere(container, failure or f"its node {node_id} is gone", since)
            else:
                self._attempt(container, begun=since)

    def _is_late(self, begun: float) -> bool:
        """Whether a call that has begun then begins nothing more."""
        return self._clock.now() > begun + BEGIN_WITHIN_S

    def _go_round(self, begun: float) -> None:
        """Reservations are decided one after another, engine calls run side by side."""
        full: dict[Shape, str] = {}
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            for piece in _pieces(in_turn(self._awake(begun)), STARTS_AT_ONCE):
                if self._is_late(begun):
                    return
                placed = [outcome for each in piece if (outcome := self._reserve(each, full)) is not None]
                list(pool.map(partial(self._start, begun=begun), placed))

    def _awake(self, now: float) -> list[Container]:
        """What waits and doesn't rest because engines have refused it."""
        return [each for each in self._store.pending() if each.rests_until <= now]

    def _reserve(self, container: Container, full: dict[Shape, str]) -> Placed | None:
        """Reserve for one; None when it goes on waiting. What one can't have, its likes can't in the same round."""
        shape = _shape(container.request)
        try:
            if problem := self._placer.why_not_start(container):
                self._renew(container, problem)
                return None
            if shape in full:
                self._renew(container, full[shape])
                return None
            outcome = self._reserver.reserve(container.request, pending=container)
        except Conflict:  # removed or placed by somebody else meanwhile
            return None
        if isinstance(outcome, Placed):
            return outcome
        if not _looks_at_others(container.request.rules):
            full[shape] = outcome.reason
        return None

    def _renew(self, container: Container, reason: str) -> None:
        if container.reason != reason:
            self._store.explain(container, reason=reason)

    def _start(self, placed: Placed, *, begun: float) -> None:
        """Start one of several: what stops it must not stop the others; its record says why, or an event."""
        container = placed.container
        try:
            waiting = self._placer.start(placed)
            if waiting.state is ContainerState.PENDING:
                self._placer.place_elsewhere(waiting, refused_by=placed.node.id, begun=begun)
        except Conflict:  # somebody else goes on with it
            return
        except InvalidInput as error:
            self._tell_refused(container, error)

    def _attempt(self, container: Container, *, begun: float | None = None) -> None:
        try:
            self._placer.settle(container, begun=begun)
        except Conflict:
            return
        except InvalidInput as error:
            self._tell_refused(container, error)

    def _elsewhere(self, container: Container, reason: str, begun: float) -> None:
        try:
            waiting = self._store.unplace(container, reason=reason)
            self._placer.place(waiting.request, pending=waiting, begun=begun)
        except Conflict:
            return
        except InvalidInput as error:
            self._tell_refused(container, error)

    def _tell_refused(self, container: Container, error: InvalidInput) -> None:
        """Its caller was told that it is accepted, and nobody waits for an answer any more."""
        detail = {"fleet": self._fleet_name, "name": container.name, "reason": str(error)}
        self._events.publish(Event.CONTAINER_REFUSED, [{**detail, "tenant": container.request.tenant}])


def _waits(container: Container, now: float) -> bool:
    """Whether it holds its room and nobody works on it."""
    return container.state is ContainerState.RESERVED and container.lease_until <= now


def _shape(request: Request) -> Shape:
    """What decides where it may go."""
    return request.reservation, request.rules


def _looks_at_others(rules: Rules) -> bool:
    """Whether other containers decide where it may go: one placed in this round may make room for its likes."""
    depends = rules.links or rules.volumes_from or rules.network_mode.startswith("container:")
    return bool(rules.affinities or depends)


def _pieces(waiting: Sequence[Container], size: int) -> Iterator[Sequence[Container]]:
    rest = iter(waiting)
    while piece := list(islice(rest, size)):
        yield piece
