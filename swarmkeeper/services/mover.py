"""Move a container to another node so that at most one live copy answers to its name (I2).

The order is: create there, stop here, start there. A move that can't be finished is undone, but only once it is
certain that the copy on the target doesn't run: it was never started, it was removed, or its node is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node
from swarmkeeper.domain.placement.scheduler import decide
from swarmkeeper.errors import Conflict, ImageMissing, InvalidInput, Unavailable
from swarmkeeper.ports import Clock, Command, Engines, NodeCommands, StateStore
from swarmkeeper.services.limits import limit_for

OBSTACLES = (Conflict, InvalidInput, Unavailable)
"""What may stand in a move's way; it is told, and the drain goes on with the next container."""


@dataclass(frozen=True, slots=True)
class Move:
    """How a move ended; `gap_s` is the time from stopping the old copy until the new one had started."""

    name: str
    moved: bool
    detail: str
    gap_s: float | None = None


class Mover:
    """Moves containers, and undoes or finishes moves that were cut off."""

    def __init__(
        self, *, store: StateStore, engines: Engines, commands: NodeCommands, clock: Clock, strategy: str
    ) -> None:
        self._store = store
        self._engines = engines
        self._commands = commands
        self._clock = clock
        self._strategy = strategy

    def move(self, container: Container, source: Node) -> Move:
        """Move a RUNNING container off `source`, or go on with a move that was cut off; obstacles are told.

        A missing image is pulled on the target first: the move then reports that it waits.
        """
        if container.state is not ContainerState.RUNNING:
            return Move(container.name, moved=False, detail=f"is {container.state}")
        try:
            return self._begin(container, source) if container.moving_to is None else self._go_on(container, source)
        except OBSTACLES as obstacle:
            return Move(container.name, moved=False, detail=str(obstacle))

    def undo(self, container: Container, source: Node) -> None:
        """Take back a move that is under way: the copy on the target goes, the old one runs again.

        Raises Unavailable while it isn't certain that the copy on the target doesn't run.
        """
        target = self._target(container)
        if target is not None:
            self._engines.remove(target, container.name)
        self._engines.resume(source, container.name, network=container.request.network)
        self._store.cancel_move(container)

    def finish_without_source(self, container: Container) -> bool:
        """The source is gone: start the copy on the target and make that its node; False when that is gone too."""
        target = self._target(container)
        if target is None:
            return False
        engine_id = self._engines.create(target, container.request)
        self._engines.start(target, engine_id)
        self._store.finish_move(container, engine_id=engine_id)
        return True

    def _begin(self, container: Container, source: Node) -> Move:
        """Choose a target, hold its room, make the copy; without a copy nothing has happened and the room is free."""
        decision = decide(container.request, self._store.nodes(), strategy=self._strategy, avoid=frozenset({source.id}))
        target = decision.chosen
        if target is None:
            return Move(container.name, moved=False, detail=decision.explain())
        container = self._store.begin_move(container, target, limit_for(container.request, target))
        try:
            return self._carry_over(container, source, target, self._engines.create(target, container.request))
        except ImageMissing:
            return self._pull(container, target)
        except OBSTACLES:
            current = self._store.container(container.name)
            if current == container and not self._is_stopped(container, source):
                self._store.cancel_move(container)
            raise

    def _go_on(self, container: Container, source: Node) -> Move:
        """Go on with a move of an earlier call. What that call had done already is not known."""
        target = self._target(container)
        if target is None:
            self.undo(container, source)
            return Move(container.name, moved=False, detail=f"its target {container.moving_to} is gone")
        try:
            engine_id = self._engines.create(target, container.request)
        except ImageMissing:
            return self._pull(container, target)
        except (Conflict, InvalidInput):
            self.undo(container, source)
            raise
        return self._carry_over(container, source, target, engine_id)

    def _carry_over(self, container: Container, source: Node, target: Node, engine_id: str) -> Move:
        stopped_at = self._clock.now()
        self._engines.stop(source, container.name, network=container.request.network)
        try:
            self._engines.start(target, engine_id)
        except OBSTACLES:
            self.undo(container, source)
            raise
        gap_s = self._clock.now() - stopped_at
        try:
            self._store.finish_move(container, engine_id=engine_id)
        except Conflict:
            self._drop_stray_copy(container, target, engine_id)
            raise
        detail = f"{source.id} -> {target.id}"
        try:
            self._engines.remove(source, container.name)
        except Unavailable as error:
            detail = f"{detail}; the stopped old copy is still there: {error}"
        return Move(container.name, moved=True, detail=detail, gap_s=gap_s)

    def _pull(self, container: Container, target: Node) -> Move:
        self._commands.send(target.id, Command.PULL, {"image": container.request.image})
        return Move(container.name, moved=False, detail=f"its image is being pulled on {target.id}")

    def _target(self, container: Container) -> Node | None:
        """The node that a move under way goes to; None once that is gone."""
        node = None if container.moving_to is None else self._store.node(container.moving_to)
        return None if node is None or node.state is NodeState.GONE else node

    def _is_stopped(self, container: Container, source: Node) -> bool:
        """Whether the old copy may be stopped; not knowing counts as yes."""
        try:
            held = self._engines.containers(source)
        except Unavailable:
            return True
        return not any(each.name == container.name and each.running for each in held)

    def _drop_stray_copy(self, container: Container, target: Node, engine_id: str) -> None:
        """The record moved on while we did (removed, or moved by another call): leave no copy that it doesn't know."""
        now = self._store.container(container.name)
        if now is None or now.node != target.id:
            self._engines.remove(target, engine_id)
