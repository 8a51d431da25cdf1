"""Move a container to another node so that at most one live copy answers to its name (I2).

The order is: create there, stop here, start there. A move that can't be finished is undone, but only once it is
certain that the copy on the target doesn't run: it was never started, it was removed, or its node is gone.

Where the container's own layer is kept: stop here, save it (`layers`), create there from what was saved, start there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId, Save
from swarmkeeper.domain.placement.wish import wish_of
from swarmkeeper.errors import (
    Conflict,
    Declined,
    ImageMissing,
    InvalidInput,
    NodeChanged,
    SwarmkeeperError,
    Unavailable,
    Unreachable,
)
from swarmkeeper.ports import RESERVATION_LEASE_S, Clock, Engines, Limit, StateStore
from swarmkeeper.services.layers import REST_S, Layers
from swarmkeeper.services.leadership import Leadership
from swarmkeeper.services.limits import asks_of_content, limit_for
from swarmkeeper.services.notices import Notices
from swarmkeeper.services.pulls import Puller
from swarmkeeper.services.view import FleetView

OBSTACLES = (Conflict, InvalidInput, Unavailable)
"""What may stand in a move's way; it is told, and the drain goes on with the next container."""
TAKEN_BACK = "its move was taken back"


@dataclass(frozen=True, slots=True)
class Move:
    """How a move ended; `gap_s` is the time from stopping the old copy until the new one had started.

    `has_stopped`: it has not ended yet, but stopped the old copy, which takes its time.
    """

    name: str
    moved: bool
    detail: str
    gap_s: float | None = None
    has_stopped: bool = False


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
        layers: Layers,
        notices: Notices,
    ) -> None:
        self._store = store
        self._layers = layers
        self._notices = notices
        self._leadership = leadership
        self._engines = engines
        self._puller = puller
        self._clock = clock
        self._view = view
        self._choosing = Lock()
        """The view is one thread's at a time; what takes long, engines' stops and starts, goes side by side."""

    def move(self, container: Container, source: Node) -> Move:
        """Move a RUNNING container off `source`, or go on with a move that was cut off; obstacles are told.

        A missing image is pulled on the target first: the move then reports that it waits. So it does while the
        container's own layer is saved.
        """
        if container.state is not ContainerState.RUNNING:
            return Move(container.name, moved=False, detail=f"is {container.state}")
        if self._is_leased(container):
            return Move(container.name, moved=False, detail="another call is moving it")
        try:
            if container.moving_to is None:
                return self._begin(container, source)
            if waits_for := self._layers.waits_for(container):
                return Move(container.name, moved=False, detail=waits_for)
            return self._go_on(container, source)
        except OBSTACLES as obstacle:
            return Move(container.name, moved=False, detail=str(obstacle))

    def undo(self, container: Container, source: Node) -> None:
        """Take back a move that is under way: the copy on the target goes, the old one runs again.

        One whose layer was carried over, and which has run there, stays there: it has written since. Raises
        Unavailable while it isn't certain that the copy on the target doesn't run, or another call moves it.
        """
        if self._is_leased(container):
            raise Unavailable(f"{container.name} is being moved by another call")
        mine = self._store.lease(container, until=self._lease_end())
        with self._leased(mine):
            self._take_back(mine, source)

    def spoil(self, container: Container) -> Container:
        """The record with a save that is void: needed before the old copy runs again. Raises Conflict."""
        return self._layers.spoil(container, TAKEN_BACK)

    def note_saves(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        """The records with what their commands have saved, for those that were moving."""
        return self._layers.note_ends(containers)

    def finish_arrivals(self, containers: Sequence[Container], target: Node) -> bool:
        """Finish a move to the node whose copy has run there with its layer; whether there was one, and may be more.

        Its call died before it could say so, and it has written since. Raises Unavailable, Conflict.
        """
        coming = [each for each in containers if each.moving_to == target.id and each.request.keeps_layer]
        return any(self._has_arrived(each, self._living(each.node)) for each in coming)

    def _has_arrived(self, container: Container, source: Node | None) -> bool:
        """Whether its layer was carried over and the copy runs, or ran and ended: then the move is finished.

        It may have written since. A copy is made only of what was saved, so one that runs is the live one.
        """
        target = self._target(container)
        if target is None or not container.request.keeps_layer:
            return False
        there = [each for each in self._engines.containers(target) if each.name == container.name and each.has_run]
        if not there:
            return False
        self._store.finish_move(container, engine_id=there[0].id)
        if source is not None:
            self._engines.remove(source, container.name)
        return True

    def _take_back(self, container: Container, source: Node, why: str = TAKEN_BACK, *, rest_s: float = 0.0) -> None:
        """`undo` by the call that has the lease."""
        if self._has_arrived(container, source):
            return
        container = self._layers.spoil(container, why, rest_s=rest_s)
        target = self._target(container)
        if target is not None:
            self._engines.remove(target, container.name)
        self.resume(container, source)
        self._store.cancel_move(container)

    def resume(self, container: Container, source: Node) -> None:
        """Have the old copy run again, whose save is void.

        One whose layer was to be kept may have been removed on its node meanwhile: that is told, and its move ends, so
        that the inventory finds it gone. Raises Conflict where it can't run.
        """
        try:
            self._engines.resume(source, container.name, network=container.request.network)
        except Conflict:
            if not container.request.keeps_layer or self._is_held(container, source):
                raise
            self._notices.of_removal(container, source)

    def finish_without_source(self, container: Container) -> bool:
        """The source is gone: start the copy on the target and make that its node; False when it can't run there.

        Where its own layer is kept that copy has it as it was saved last.

        The target may be gone too, or not have got its image yet: nothing is waited for, since it may start elsewhere.
        """
        target = self._target(container)
        if target is None:
            return False
        try:
            engine_id = self._engines.create(target, container.request, image=container.image)
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
        keeps_layer = container.request.keeps_layer
        if keeps_layer and (problem := self._layers.problem(container, source)):
            return Move(container.name, moved=False, detail=problem)
        with self._choosing:
            if keeps_layer and (waits_for := self._layers.turn(source)):
                return Move(container.name, moved=False, detail=waits_for)
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
        save = self._layers.first_step() if container.request.keeps_layer else None
        return self._hold(container, target, limit_for(container.request, target, revision=seen), save), target

    def _copy(self, container: Container, source: Node, target: Node) -> Move:
        try:
            if container.request.keeps_layer:
                return self._save(container, source, target)
            return self._carry_over(container, source, target, self._engines.create(target, container.request))
        except ImageMissing:
            return self._pull(container, source, target, container.request.image)
        except OBSTACLES:
            current = self._store.container(container.name)
            if current == container and not self._is_stopped(container, source):
                self._store.cancel_move(container)
            raise

    def _hold(self, container: Container, target: Node, limit: Limit, save: Save | None) -> Container:
        """Hold room on the target; a lost race is told, and teaches the view for the next try."""
        try:
            return self._store.begin_move(container, target, limit, lease_until=self._lease_end(), save=save)
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
        if container.request.keeps_layer:
            return self._go_on_with_layer(self._layers.note_end(container), source, target)
        try:
            engine_id = self._engines.create(target, container.request)
        except ImageMissing:
            return self._pull(container, source, target, container.request.image)
        except (Conflict, InvalidInput):
            self._take_back(container, source)
            raise
        return self._carry_over(container, source, target, engine_id)

    def _go_on_with_layer(self, container: Container, source: Node, target: Node) -> Move:
        """Go on where the save stands; without one, or with a void one, an earlier call was taking the move back."""
        save = container.save
        if save is None or save.void:
            self._take_back(container, source)
            return Move(container.name, moved=False, detail=TAKEN_BACK if save is None else save.void)
        if save.is_done:
            return self._carry_layer_over(container, source, target)
        if save.command_id:  # it was just said to be over, and is said to run
            return self._wait(container, f"its layer is being saved on {source.id} ({save.command_id})")
        try:
            return self._save(container, source, target)
        except ImageMissing:
            return self._pull(container, source, target, container.request.image)

    def _save(self, container: Container, source: Node, target: Node) -> Move:
        """Stop the old copy and have its layer saved, once the target has shown that it can make a copy.

        Raises ImageMissing when the target lacks the image that the layer lies upon.
        """
        try:
            self._engines.create(target, container.request)
        except (Conflict, InvalidInput) as problem:
            self._take_back(container, source, str(problem), rest_s=REST_S)
            raise
        self._engines.remove(target, container.name)
        # Again, since that took its time: whoever has begun to take the move back meanwhile is met before the stop.
        mine = self._store.lease(container, until=self._lease_end())
        with self._leased(mine):
            return self._send(mine, source)

    def _send(self, container: Container, source: Node) -> Move:
        try:
            sent = self._layers.send(container, source)
        except SwarmkeeperError as problem:  # a command that is refused for good too: nothing may stand still for it
            try:
                self._take_back(container, source, str(problem), rest_s=REST_S)
            except Conflict:
                self._resume_if_it_stays(container, source)
                raise
            raise Unavailable(str(problem)) from problem
        return Move(container.name, moved=False, detail=self._layers.waits_for(sent), has_stopped=True)

    def _resume_if_it_stays(self, container: Container, source: Node) -> None:
        """Others have ended its move, or are about to, while we stopped the old copy: what lives there must run."""
        now = self._store.container(container.name)
        if now is None or now.node != source.id or now.state is not ContainerState.RUNNING:
            return
        if now.moving_to is None or (now.save is not None and now.save.void):
            mine = self._store.lease(now, until=self._lease_end())
            with self._leased(mine):
                self._engines.resume(source, container.name, network=container.request.network)
            self._store.lease(mine, until=0.0)

    def _carry_layer_over(self, container: Container, source: Node, target: Node) -> Move:
        """Make the copy from what was saved, unless the old one has run since."""
        if container.request.network and (problem := self._leadership.problem()):
            return self._wait(container, problem)
        if self._has_run_since(container, source):
            why = f"somebody has started it on {source.id} while its layer was saved"
            self._take_back(container, source, why)
            return Move(container.name, moved=False, detail=why)
        try:
            engine_id = self._engines.create(target, container.request, image=container.image)
        except ImageMissing:
            return self._pull(container, source, target, container.image)
        except (Conflict, InvalidInput) as problem:
            self._take_back(container, source, str(problem), rest_s=REST_S)
            raise
        return self._carry_over(container, source, target, engine_id)

    def _has_run_since(self, container: Container, source: Node) -> bool:
        """Whether the old copy runs, or has run and ended again since it was stopped for its save."""
        if any(each.name == container.name and each.running for each in self._engines.containers(source)):
            return True
        there = self._engines.recall(source, container.engine_id)
        started_at = None if there is None else there.started_at
        stopped_at = None if container.save is None else container.save.stopped_at
        return started_at is not None and stopped_at is not None and started_at > stopped_at

    def _carry_over(self, container: Container, source: Node, target: Node, engine_id: str) -> Move:
        stopped_at = None if container.save is None else container.save.stopped_at
        stopped_at = self._clock.now() if stopped_at is None else stopped_at
        self._engines.stop(source, container.name, network=container.request.network)
        try:
            self._engines.start(target, engine_id)
        except OBSTACLES as obstacle:
            if container.is_saved and _may_have_begun(obstacle):  # it may write by now: a later call starts it again
                raise
            self._take_back(container, source, str(obstacle), rest_s=REST_S)
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

    def _pull(self, container: Container, source: Node, target: Node, image: str) -> Move:
        """Wait for the image on the target; where it can't be had there the move is undone, and another tried."""
        try:
            waits_for = self._puller.ensure(target, image)
        except Declined as problem:
            self._take_back(container, source, str(problem), rest_s=REST_S)
            raise
        return self._wait(container, waits_for)

    def _wait(self, container: Container, reason: str) -> Move:
        """Give the lease back; a later call goes on."""
        self._store.lease(container, until=0.0)
        return Move(container.name, moved=False, detail=reason)

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
                self._store.lease(self._as_leased(container), until=0.0)
            raise

    def _as_leased(self, container: Container) -> Container:
        """The record that has our lease: notes of a save leave that as it is."""
        now = self._store.container(container.name) if container.request.keeps_layer else None
        return now if now is not None and now.lease_until == container.lease_until else container

    def _target(self, container: Container) -> Node | None:
        """The node that a move under way goes to; None once that is gone."""
        return self._living(container.moving_to)

    def _living(self, node_id: NodeId | None) -> Node | None:
        node = None if node_id is None else self._store.node(node_id)
        return None if node is None or node.state is NodeState.GONE else node

    def _is_stopped(self, container: Container, source: Node) -> bool:
        """Whether the old copy may be stopped; not knowing counts as yes."""
        try:
            held = self._engines.containers(source)
        except Unavailable:
            return True
        return not any(each.name == container.name and each.running for each in held)

    def _is_held(self, container: Container, node: Node) -> bool:
        """Whether the engine has a copy, running or not."""
        return any(each.name == container.name for each in self._engines.containers(node))

    def _drop_stray_copy(self, container: Container, target: Node, engine_id: str) -> None:
        """The record moved on while we did (removed, or moved by another call): leave no copy that it doesn't know."""
        now = self._store.container(container.name)
        if now is None or now.node != target.id:
            self._engines.remove(target, engine_id)


def _may_have_begun(obstacle: Exception) -> bool:
    """Whether the answer is missing, so that what was asked may have been done."""
    return isinstance(obstacle, Unavailable) and not isinstance(obstacle, Declined | Unreachable)
