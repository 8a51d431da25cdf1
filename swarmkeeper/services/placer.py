"""Place containers: decide, reserve without a lock, create on the engine, or keep them pending with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    ContainerState,
    Node,
    NodeId,
    Pool,
    Quota,
    Request,
    unlimited,
)
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.scheduler import Decision
from swarmkeeper.domain.scaling.feasibility import why_never
from swarmkeeper.errors import InvalidInput, NameTaken
from swarmkeeper.ports import Clock, StateStore
from swarmkeeper.services.remover import Remover
from swarmkeeper.services.reservations import Placed, Reserver
from swarmkeeper.services.starter import Starter

REFUSALS = 3
"""Engines that may refuse a request before it is kept pending."""
NEXT_WITHIN_S = 8.0
"""No further engine is tried later than this: one that hangs takes up to 16 s, and the function ends after 30 s."""
SHUNNED_S = 30.0
"""How long an engine that refused a container is tried last by this process."""


class Impossible(InvalidInput):
    """No node that the fleet may ever have could hold the request."""


class Placer:
    """Use cases of the placement function. Safe under any number of concurrent callers."""

    def __init__(
        self,
        *,
        store: StateStore,
        reserver: Reserver,
        starter: Starter,
        remover: Remover,
        clock: Clock,
        pools: Sequence[Pool],
        options: PlacementOptions,
        quota_of: Callable[[str], Quota | None] = unlimited,
    ) -> None:
        self._store = store
        self._reserver = reserver
        self._starter = starter
        self._remover = remover
        self._clock = clock
        self._pools = tuple(pools)
        self._options = options
        self._quota_of = quota_of
        self._shunned: dict[NodeId, float] = {}

    def create(self, request: Request) -> Container:
        """Place the request and start it; returns its record: RUNNING, RESERVED (its image is pulled) or PENDING.

        The same request again continues where the first one stopped. Raises NameTaken for another request of
        the same name, QuotaExceeded, InvalidInput when an expression or the engine refuses it, or no node could ever
        hold it.
        """
        # Most requests are new, so whether the name is in use is left to the reservation's own condition to find.
        try:
            self._refuse_impossible(request)
            return self.place(request)
        except (NameTaken, Impossible):
            known = self._same(request)
            if known is None:
                raise
            return self._go_on(known)

    def place_elsewhere(self, pending: Container, *, refused_by: NodeId, begun: float) -> Container:
        """`place` for one that a node has just refused; with its record unchanged when there is no time for it.

        `begun`: when the first engine was asked, or the function called, in seconds since the epoch.
        """
        if self._is_late(begun):
            return pending
        return self.place(pending.request, pending=pending, refused_by=refused_by, begun=begun)

    def place(
        self,
        request: Request,
        *,
        pending: Container | None = None,
        refused_by: NodeId | None = None,
        begun: float | None = None,
    ) -> Container:
        """Reserve and start; when an engine refuses, the next candidate is tried, up to a few, while there is time.

        `pending` is the request's record where it waits already, `refused_by` a node that has just refused it. The
        time counts from now unless it has `begun` before. Raises NameTaken, QuotaExceeded, Conflict when it was removed
        meanwhile, InvalidInput when an engine finds it wrong.
        """
        begun = self._clock.now() if begun is None else begun
        refused = {} if refused_by is None or pending is None else {refused_by: pending.reason}
        while True:
            outcome = self._reserver.reserve(
                request,
                avoid=frozenset(refused),
                shun=self._shunned_now(),
                pending=pending,
                quota=None if pending else self._quota_of(request.tenant),
            )
            if not isinstance(outcome, Placed):
                return self._told(outcome, refused)
            pending = self.start(outcome)
            if pending.state is not ContainerState.PENDING or self.why_not_start(pending):
                return pending  # what no engine can start is not tried on the next one
            refused[outcome.node.id] = pending.reason
            if len(refused) > REFUSALS or self._is_late(begun):
                return self._told(pending, refused)

    def _is_late(self, begun: float) -> bool:
        """Whether no further engine may be tried by a call that has begun then."""
        return self._clock.now() > begun + NEXT_WITHIN_S

    def start(self, placed: Placed) -> Container:
        """Start what was just reserved; returns its record, PENDING when its node can't have it."""
        started = self._starter.start(placed.container, placed.node)
        if started.state is ContainerState.PENDING:
            self._shunned[placed.node.id] = self._clock.now() + SHUNNED_S
        else:
            self._reserver.started(placed, started)
        return started

    def why_not_start(self, container: Container) -> str:
        """Why it can start nowhere now, as far as this process knows: the Swarm has no leader; "" when it may."""
        return self._starter.known_problem(container)

    def settle(self, container: Container, *, begun: float | None = None) -> Container | None:
        """Bring a container that stands still one step on; returns its record, None once it is removed.

        The time for further engines counts from now unless it has `begun` before, in seconds since the epoch.
        """
        if container.state is ContainerState.REMOVING:
            return None if self._remover.remove(container) else container
        return self._go_on(container, begun=begun)

    def remove(self, name: ContainerName) -> Container | None:
        """Remove the container wherever it stands; returns its last record, None when the name is unknown.

        One that another call is just starting stays in REMOVING until it is certain that no copy appears.
        """
        container = self._store.container(name)
        if container is None:
            return None
        if container.state is not ContainerState.REMOVING:
            container = self._store.begin_removal(container)
        self._remover.remove(container)
        return container

    def explain(self, request: Request) -> Decision:
        """Where the request would go now, and why not elsewhere; changes nothing."""
        return self._reserver.explain(request)

    def explain_anew(self, container: Container) -> Decision:
        """Where the container would go if it were placed now, what it holds being free; changes nothing."""
        return self._reserver.explain_anew(container.request)

    def listing(self) -> tuple[tuple[Container, ...], tuple[Node, ...]]:
        """All containers and all nodes."""
        return self._store.containers(), self._store.nodes()

    def pending_count(self) -> int:
        return len(self._store.pending())

    def _same(self, request: Request) -> Container | None:
        """The container that this same request made before. Raises NameTaken when another one has the name."""
        known = self._store.container(request.name)
        if known is not None and (known.request != request or known.state is ContainerState.REMOVING):
            raise NameTaken(f"the name {request.name} is in use")
        return known

    def _go_on(self, container: Container, *, begun: float | None = None) -> Container:
        begun = self._clock.now() if begun is None else begun
        if container.state is ContainerState.PENDING:
            return self.place(container.request, pending=container, begun=begun)
        if container.state is not ContainerState.RESERVED or container.node is None:
            return container
        node = self._store.node(container.node)
        if node is None:
            return container
        gone_on = self._starter.go_on(container, node)
        if gone_on.state is not ContainerState.PENDING:
            return gone_on
        return self.place_elsewhere(gone_on, refused_by=node.id, begun=begun)

    def _refuse_impossible(self, request: Request) -> None:
        """Raise Impossible for a request that would wait for ever."""
        if not why_never(request, self._pools, (), self._options):
            return
        # Nodes may be larger than their pool promises, or left over from one that is no longer configured.
        if why := why_never(request, self._pools, self._store.nodes(), self._options):
            raise Impossible("request", f"no node could ever hold it: {why}")

    def _shunned_now(self) -> frozenset[NodeId]:
        """Engines that have just failed: taken only when there is nothing else."""
        now = self._clock.now()
        self._shunned = {node_id: until for node_id, until in self._shunned.items() if now < until}
        return frozenset(self._shunned)

    def _told(self, waiting: Container, refused: dict[NodeId, str]) -> Container:
        """The pending record with what the engines said, not only with what is left when they are left out."""
        if not refused or waiting.state is not ContainerState.PENDING:
            return waiting
        reasons = [*refused.values(), *([] if waiting.reason in refused.values() else [waiting.reason])]
        return self._starter.note(waiting, "; ".join(reasons))
