"""Place containers: decide, reserve without a lock, create on the engine, or keep them pending with a reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Node, NodeId, Request
from swarmkeeper.domain.placement.scheduler import Decision
from swarmkeeper.errors import Conflict, InvalidInput, NameTaken
from swarmkeeper.ports import Clock, StateStore
from swarmkeeper.services.reservations import Placed, Reserver
from swarmkeeper.services.starter import Starter

REFUSALS = 3
"""Engines that may refuse a request before it is kept pending."""
STARTS_AT_ONCE = 4
"""Engine calls of one invocation that run side by side; more only queue up in the engines."""


class Placer:
    """Use cases of the placement function. Safe under any number of concurrent callers."""

    def __init__(self, *, store: StateStore, reserver: Reserver, starter: Starter, clock: Clock) -> None:
        self._store = store
        self._reserver = reserver
        self._starter = starter
        self._clock = clock

    def create(self, request: Request) -> Container:
        """Place the request and start it; returns its record: RUNNING, RESERVED (its image is pulled) or PENDING.

        The same request again continues where the first one stopped. Raises NameTaken for another request of
        the same name, InvalidInput when an expression or the engine refuses it.
        """
        known = self._same(request)
        if known is not None:
            return self._go_on(known)
        try:
            return self._place(request)
        except NameTaken:
            known = self._same(request)
            if known is None:
                raise
            return known  # the same request came twice at once: the other call goes on with it

    def _same(self, request: Request) -> Container | None:
        """The container that this same request made before. Raises NameTaken when another one has the name."""
        known = self._store.container(request.name)
        if known is not None and (known.request != request or known.state is ContainerState.REMOVING):
            raise NameTaken(f"the name {request.name} is in use")
        return known

    def settle(self, container: Container) -> Container | None:
        """Bring a container that stands still one step on; returns its record, None once it is removed."""
        if container.state is ContainerState.REMOVING:
            self._starter.remove(container)
            return None
        return self._go_on(container)

    def _go_on(self, container: Container) -> Container:
        if container.state is ContainerState.PENDING:
            return self._place(container.request)
        if container.state is ContainerState.RESERVED and container.node is not None:
            node = self._store.node(container.node)
            return container if node is None else self._starter.start(container, node)
        return container

    def settle_named(self, name: ContainerName) -> Container | None:
        """`settle` by name; None when there is no such container."""
        container = self._store.container(name)
        return None if container is None else self.settle(container)

    def place_pending(self) -> tuple[Container, ...]:
        """Try all pending requests, oldest first; returns those that still wait.

        Reservations are decided one after another on one view, engine calls run side by side.
        """
        nodes = self._reserver.view()
        placed: list[Placed] = []
        for container in self._store.pending():
            try:
                outcome = self._reserver.reserve(container.request, nodes)
            except Conflict:  # removed or placed by somebody else meanwhile
                continue
            if isinstance(outcome, Placed):
                placed.append(outcome)
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            list(pool.map(lambda item: self._start_or_leave(item.container, item.node), placed))
        return self._store.pending()

    def image_pulled(self, node_id: NodeId, command_id: str, *, succeeded: bool) -> None:
        """Go on with the containers that waited for this pull; after a failed one they are pending again."""
        node = self._store.node(node_id)
        waiting = [
            container
            for container in self._store.containers_on(node_id)
            if container.state is ContainerState.RESERVED and command_id in container.reason
        ]
        for container in waiting:
            if succeeded and node is not None:
                self._start_or_leave(container, node)
            else:
                self._store.unplace(container, reason=f"its image could not be pulled on {node_id} ({command_id})")

    def remove(self, name: ContainerName) -> Container | None:
        """Remove the container wherever it stands; returns its last record, None when the name is unknown."""
        container = self._store.container(name)
        if container is None:
            return None
        if container.state is not ContainerState.REMOVING:
            container = self._store.begin_removal(container)
        self._starter.remove(container)
        return container

    def explain(self, request: Request) -> Decision:
        """Where the request would go now, and why not elsewhere; changes nothing."""
        return self._reserver.explain(request)

    def listing(self) -> tuple[tuple[Container, ...], tuple[Node, ...]]:
        """All containers and all nodes."""
        return self._store.containers(), self._store.nodes()

    def pending_count(self) -> int:
        return len(self._store.pending())

    def _place(self, request: Request, refused_by: frozenset[NodeId] = frozenset()) -> Container:
        """Reserve and start; when an engine refuses, the next candidate is tried, up to a few."""
        outcome = self._reserver.reserve(request, self._reserver.view(), refused_by)
        if not isinstance(outcome, Placed):
            return outcome
        started = self._starter.start(outcome.container, outcome.node)
        if started.state is not ContainerState.PENDING or len(refused_by) >= REFUSALS:
            return started
        again = self._place(request, refused_by | {outcome.node.id})
        if again.state is not ContainerState.PENDING:
            return again
        return self._store.park(request, reason=f"{started.reason}; {again.reason}", now=self._clock.now())

    def _start_or_leave(self, container: Container, node: Node) -> None:
        """`_start` for batches: what stops one container must not stop the others; its record says why."""
        try:
            if self._starter.start(container, node).state is ContainerState.PENDING:
                self._place(container.request, frozenset({node.id}))
        except (Conflict, InvalidInput) as error:
            self._starter.note(container, str(error))
