"""Place containers: decide, reserve without a lock, create on the engine, or keep them pending with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerName, ContainerState, Node, NodeId, Request
from swarmkeeper.domain.placement.scheduler import Decision, decide
from swarmkeeper.errors import Conflict, Contention, ImageMissing, InvalidInput, NameTaken, NodeChanged, Unavailable
from swarmkeeper.ports import Clock, Command, CommandStatus, Engines, NodeCommands, StateStore
from swarmkeeper.services.limits import limit_for

RESERVATION_TRIES = 8
"""Lost races before a request is kept pending; the schedule tries it again."""
REFUSALS = 3
"""Engines that may refuse a request before it is kept pending."""
CONTENTION_PAUSE_S = 0.05
"""Upper bound of the jittered pause after a conflict that taught nothing."""
PULLING = re.compile(r"pulling its image \((.+)\)")
STARTS_AT_ONCE = 4
"""Engine calls of one invocation that run side by side; more only queue up in the engines."""


@dataclass(frozen=True, slots=True)
class PlacerSettings:
    """What the operator configured."""

    fleet: str
    strategy: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A container that holds a reservation, with the decision that led to it."""

    container: Container
    node: Node


class Placer:
    """Use cases of the placement function. Safe under any number of concurrent callers."""

    def __init__(
        self,
        *,
        store: StateStore,
        engines: Engines,
        commands: NodeCommands,
        clock: Clock,
        settings: PlacerSettings,
        random: Random,
        pause: Callable[[float], None],
    ) -> None:
        self._store = store
        self._engines = engines
        self._commands = commands
        self._clock = clock
        self._settings = settings
        self._random = random
        self._pause = pause

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
            self._remove(container)
            return None
        return self._go_on(container)

    def _go_on(self, container: Container) -> Container:
        if container.state is ContainerState.PENDING:
            return self._place(container.request)
        if container.state is ContainerState.RESERVED and container.node is not None:
            node = self._store.node(container.node)
            return container if node is None else self._start(container, node)
        return container

    def settle_named(self, name: ContainerName) -> Container | None:
        """`settle` by name; None when there is no such container."""
        container = self._store.container(name)
        return None if container is None else self.settle(container)

    def place_pending(self) -> tuple[Container, ...]:
        """Try all pending requests, oldest first; returns those that still wait.

        Reservations are decided one after another on one view, engine calls run side by side.
        """
        nodes = list(self._store.nodes())
        placed: list[Placed] = []
        for container in self._store.pending():
            try:
                outcome = self._reserve(container.request, nodes)
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
        self._remove(container)
        return container

    def explain(self, request: Request) -> Decision:
        """Where the request would go now, and why not elsewhere; changes nothing."""
        return decide(request, self._store.nodes(), strategy=self._settings.strategy)

    def listing(self) -> tuple[tuple[Container, ...], tuple[Node, ...]]:
        """All containers and all nodes."""
        return self._store.containers(), self._store.nodes()

    def pending_count(self) -> int:
        return len(self._store.pending())

    # One reservation.

    def _place(self, request: Request, refused_by: frozenset[NodeId] = frozenset()) -> Container:
        """Reserve and start; when an engine refuses, the next candidate is tried, up to a few."""
        outcome = self._reserve(request, list(self._store.nodes()), refused_by)
        if not isinstance(outcome, Placed):
            return outcome
        started = self._start(outcome.container, outcome.node)
        if started.state is not ContainerState.PENDING or len(refused_by) >= REFUSALS:
            return started
        again = self._place(request, refused_by | {outcome.node.id})
        if again.state is not ContainerState.PENDING:
            return again
        return self._store.park(request, reason=f"{started.reason}; {again.reason}", now=self._clock.now())

    def _reserve(
        self, request: Request, nodes: list[Node], avoid: frozenset[NodeId] = frozenset()
    ) -> Placed | Container:
        """Reserve on the best node, learning from lost races; else park. Keeps `nodes` up to date."""
        for _ in range(RESERVATION_TRIES):
            seed = self._random.randrange(2**32)
            decision = decide(request, nodes, strategy=self._settings.strategy, seed=seed, avoid=avoid)
            if decision.chosen is None:
                return self._store.park(request, reason=decision.explain(), now=self._clock.now())
            node = decision.chosen
            try:
                container = self._store.reserve(request, node, limit_for(request, node), now=self._clock.now())
            except NodeChanged as changed:
                _learn(nodes, node.id, changed.actual)
            except Contention:
                self._pause(self._random.uniform(0, CONTENTION_PAUSE_S))
                _learn(nodes, node.id, self._store.node(node.id))
            else:
                _learn(nodes, node.id, _with_reservation(node, request))
                return Placed(container, node)
        return self._store.park(request, reason="every try lost a race for its node", now=self._clock.now())

    # One engine.

    def _start_or_leave(self, container: Container, node: Node) -> None:
        """`_start` for batches: what stops one container must not stop the others; its record says why."""
        try:
            if self._start(container, node).state is ContainerState.PENDING:
                self._place(container.request, frozenset({node.id}))
        except (Conflict, InvalidInput) as error:
            self._note(container, str(error))

    def _start(self, container: Container, node: Node) -> Container:
        """Create and start a reserved container on its node.

        An engine that does not answer keeps the reservation: the container may exist there, and a second one
        elsewhere would break I2. The schedule tries again.
        """
        try:
            engine_id = self._engines.create(node, container.request)
            self._engines.start(node, engine_id)
        except ImageMissing:
            return self._pull(container, node)
        except Unavailable as error:
            return self._note(container, str(error))
        except Conflict as error:  # the engine holds something else under this name
            return self._store.unplace(container, reason=f"{node.id} refused it: {error}")
        except InvalidInput:
            self._remove(self._store.begin_removal(container))
            raise
        return self._confirm(container, node, engine_id)

    def _confirm(self, container: Container, node: Node, engine_id: str) -> Container:
        try:
            return self._store.confirm(container, engine_id=engine_id)
        except Conflict:
            now = self._store.container(container.name)
            ours = now is not None and now.node == node.id and now.state is not ContainerState.REMOVING
            if ours and now is not None:
                return now if now.state is ContainerState.RUNNING else self._store.confirm(now, engine_id=engine_id)
            self._engines.remove(node, engine_id)  # removed meanwhile: leave no copy behind
            raise

    def _pull(self, container: Container, node: Node) -> Container:
        """Have the node pull the image; the command's end goes on with the container."""
        shared = self._running_pull(container, node)
        if shared is not None:
            return self._note(container, shared)
        try:
            command_id = self._commands.send(node.id, Command.PULL, {"image": container.request.image})
        except Unavailable as error:
            return self._note(container, str(error))
        return self._note(container, f"pulling its image ({command_id})")

    def _running_pull(self, container: Container, node: Node) -> str | None:
        """The reason of a container, this or another, that waits on this node for the same image's pull."""
        for other in self._store.containers_on(node.id):
            if other.request.image != container.request.image:
                continue
            match = PULLING.fullmatch(other.reason)
            if match and self._commands.result(match[1], node.id).status is CommandStatus.RUNNING:
                return other.reason
        return None

    def _note(self, container: Container, reason: str) -> Container:
        """Store the reason why a container stands still; a record that moved on meanwhile needs none."""
        try:
            return self._store.explain(container, reason=reason)
        except Conflict:
            return self._store.container(container.name) or container

    def _remove(self, container: Container) -> None:
        """Remove from the engines that may hold it, then give its reservations back."""
        for node_id in (container.node, container.moving_to):
            node = None if node_id is None else self._store.node(node_id)
            if node is not None and node.state is not NodeState.GONE:
                self._engines.remove(node, container.name)
        self._store.release(container)


def _learn(nodes: list[Node], node_id: NodeId, actual: Node | None) -> None:
    """Put the node's true record in the view, or take the node out."""
    position = next(index for index, node in enumerate(nodes) if node.id == node_id)
    nodes[position : position + 1] = [] if actual is None else [actual]


def _with_reservation(node: Node, request: Request) -> Node:
    return replace(node, reserved=node.reserved + request.reservation, containers=node.containers + 1)
