"""Move a container to another node so that at most one live copy answers to its name (I2).

The order is: create there, stop here, start there. A move that can't be finished is undone, but only once it is
certain that the copy on the target doesn't run: it was never started, it was removed, or its node is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node
from swarmkeeper.domain.placement.wish import wish_of
from swarmkeeper.errors import Conflict, Declined, ImageMissing, InvalidInput, NodeChanged, Unavailable
from swarmkeeper.ports import RESERVATION_LEASE_S, Clock, Engines, Limit, StateStore
from swarmkeeper.services.leadership import Leadership
from swarmkeeper.services.limits import asks_of_content, limit_for
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.view import FleetView

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
        self,
        *,
        store: StateStore,
        engines: Engines,
        puller: Puller,
        clock: Clock,
        view: FleetView,
        leadership: Leadership,
    ) -> None:
        self._store = store
        self._leadership = leadership
        self._engines = engines
        self._puller = puller
        self._clock = clock
        self._view = view
        self._choosing = Lock()
        """The view is one thread's at a time; what takes long, engines' stops and starts, goes side by side."""

    def move(self, container: Container, source: Node) -> Move:
        """Move a RUNNING container off `source`, or go on with a move that was cut off; obstacles are told.

        A missing image is pulled on the target first: the move then reports that it waits.
        """
        if container.state is not ContainerState.RUNNING:
            return Move(container.name, moved=False, detail=f"is {container.state}")
        if self._is_leased(container):
            return Move(container.name, moved=False, detail="another call is moving it")
        try:
            return self._begin(container, source) if container.moving_to is None else self._go_on(container, source)
        except OBSTACLES as obstacle:
            return Move(container.name, moved=False, detail=str(obstacle))

    def undo(self, container: Container, source: Node) -> None:
        """Take back a move that is under way: the copy on the target goes, the old one runs again.

        Raises Unavailable while it isn't certain that the copy on the target doesn't run, or another call moves it.
        """
        if self._is_leased(container):
            raise Unavailable(f"{container.name} is being moved by another call")
        mine = self._store.lease(container, until=self._lease_end())
        with self._leased(mine):
            self._take_back(mine, source)

    def _take_back(self, container: Container, source: Node) -> None:
        """`undo` by the call that has the lease."""
        target = self._target(container)
        if target is not None:
            self._engines.remove(target, container.name)
        self._engines.resume(source, container.name, network=container.request.network)
        self._store.cancel_move(container)

    def finish_without_source(self, container: Container) -> bool:
        """The source is gone: start the copy on the target and make that its node; False when it can't run there.

        The target may be gone too, or not have got its image yet: nothing is waited for, since it may start elsewhere.
        """
        target = self._target(container)
        if target is None:
            return False
        try:
            engine_id = self._engines.create(target, container.request)
            self._engines.start(target, engine_id)
        except (Declined, ImageMissing, Conflict, InvalidInput):  # answers: it doesn't run
            self._engines.remove(target, container.name)
            return False
        self._store.finish_move(container, engine_id=engine_id)
        return True

    def _begin(self, container: Container, source: Node) -> Move:
        """Choose a target, hold its room, make the copy; without a copy nothing has happened and the room is free."""
        # Neither copy could start once the old one was stopped.
        if container.request.network and (problem := self._leadership.problem()):
            return Move(container.name, moved=False, detail=problem)
        with self._choosing:
            chosen = self._choose(container, source)
        if isinstance(chosen, Move):
            return chosen
        held, target = chosen
        with self._leased(held):
            return self._copy(held, source, target)

    def _choose(self, container: Container, source: Node) -> tuple[Container, Node] | Move:
        """The container with room held on its target, and that; or why none has it."""
        wish = wish_of(container.request, self._view.options, frozenset({source.id}))
        self._view.refresh(content=asks_of_content(wish), max_age_s=0)
        candidate = self._view.candidate(wish, seed=0)
        if candidate is None:
            return Move(container.name, moved=False, detail=self._view.refusals(wish))
        target, seen = candidate.node, candidate.revision if asks_of_content(wish) else None
        return self._hold(container, target, limit_for(container.request, target, revision=seen)), target

    def _copy(self, container: Container, source: Node, target: Node) -> Move:
        try:
            return self._carry_over(container, source, target, self._engines.create(target, container.request))
        except ImageMissing:
            return self._pull(container, source, target)
        except OBSTACLES:
            current = self._store.container(container.name)
            if current == container and not self._is_stopped(container, source):
                self._store.cancel_move(container)
            raise

    def _hold(self, container: Container, target: Node, limit: Limit) -> Container:
        """Hold room on the target; a lost race is told, and teaches the view for the next try."""
        try:
            return self._store.begin_move(container, target, limit, lease_until=self._lease_end())
        except NodeChanged as changed:
            self._view.learn(target.id, changed.actual)
            raise

    def _go_on(self, container: Container, source: Node) -> Move:
        """Go on with a move of an earlier call. What that call had done already is not known."""
        mine = self._store.lease(container, until=self._lease_end())
        with self._leased(mine):
            return self._copy_again(mine, source)

    def _copy_again(self, container: Container, source: Node) -> Move:
        target = self._target(container)
        if target is None:
            self._take_back(container, source)
            return Move(container.name, moved=False, detail=f"its target {container.moving_to} is gone")
        try:
            engine_id = self._engines.create(target, container.request)
        except ImageMissing:
            return self._pull(container, source, target)
        except (Conflict, InvalidInput):
            self._take_back(container, source)
            raise
        return self._carry_over(container, source, target, engine_id)

    def _carry_over(self, container: Container, source: Node, target: Node, engine_id: str) -> Move:
        stopped_at = self._clock.now()
        self._engines.stop(source, container.name, network=container.request.network)
        try:
            self._engines.start(target, engine_id)
        except OBSTACLES:
            self._take_back(container, source)
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

    def _pull(self, container: Container, source: Node, target: Node) -> Move:
        """Wait for the image on the target; where it can't be had there the move is undone, and another tried."""
        try:
            waits_for = self._puller.ensure(target, container.request.image)
        except Declined:
            self._take_back(container, source)
            raise
        self._store.lease(container, until=0.0)
        return Move(container.name, moved=False, detail=waits_for)

    def _is_leased(self, container: Container) -> bool:
        """Whether another call may be in the middle of this container's move, or of its start."""
        return container.lease_until > self._clock.now()

    def _lease_end(self) -> float:
        return self._clock.now() + RESERVATION_LEASE_S

    @contextmanager
    def _leased(self, container: Container) -> Iterator[None]:
        """Give the lease back when an obstacle ends what was done under it, so that the next call need not wait."""
        try:
            yield
        except OBSTACLES:
            with suppress(Conflict):  # the record went on, and the lease with it
                self._store.lease(container, until=0.0)
            raise

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
