"""Make reserved containers run: create and start them on their engines.

Who works on a container holds its lease, so that no two calls create it at once, and every write under an older
record fails. What is never known for certain after a lost answer is whether the engine did what it was asked:
then the reservation stays, and the container with it, until the engine answers or its node is gone (I2). Where it
is certain that there is nothing of it, the reservation is given back, and another node may be tried at once.
"""

from __future__ import annotations

from swarmkeeper.domain.model import Container, ContainerState, Node
from swarmkeeper.errors import Conflict, Declined, ImageMissing, InvalidInput, Unavailable, Unreachable
from swarmkeeper.ports import RESERVATION_LEASE_S, Clock, Engines, StateStore, Watches
from swarmkeeper.services.health import HEALTHY, NodeHealth
from swarmkeeper.services.leadership import Leadership
from swarmkeeper.services.lifetimes import first_watch
from swarmkeeper.services.pulls import Puller

FIRST_REST_S = 20.0
LONGEST_REST_S = 600.0


class Starter:
    """Takes containers from RESERVED to RUNNING; every step may be repeated."""

    def __init__(
        self,
        *,
        store: StateStore,
        engines: Engines,
        puller: Puller,
        watches: Watches,
        clock: Clock,
        leadership: Leadership | None = None,
    ) -> None:
        """Without a `leadership` an engine's own word is all that is told of a Swarm that has no leader."""
        self._store = store
        self._engines = engines
        self._puller = puller
        self._watches = watches
        self._clock = clock
        self._leadership = leadership
        self._health = NodeHealth(store)

    def start(self, container: Container, node: Node) -> Container:
        """Create and start a container that the caller has just reserved, the first to ask its engine for it.

        Returns its record: RUNNING, RESERVED with the reason why it waits, or PENDING when this node can't have it.
        Raises InvalidInput when the engine refuses the request itself, Conflict when it was removed meanwhile.
        """
        if problem := self.known_problem(container):
            return self._store.unplace(container, reason=problem)
        try:
            return self._run(container, node)
        except Unreachable as error:  # nothing of it was begun, so there is nothing of it
            return self._store.unplace(container, reason=str(error))
        except Unavailable as error:
            return self.note(container, str(error))

    def go_on(self, container: Container, node: Node) -> Container:
        """Go on with a reserved container that an earlier call left behind; it may exist on its engine already.

        Returns and raises as `start` does; while another call works on it the record is returned as it is.
        """
        if container.lease_until > self._clock.now():
            return container
        mine = self._store.lease(container, until=self._clock.now() + RESERVATION_LEASE_S)
        try:
            if problem := self.known_problem(mine):
                return self._give_back(mine, node, problem)
            return self._run(mine, node)
        except Unavailable as error:
            return self.note(mine, str(error))

    def known_problem(self, container: Container) -> str:
        """Why nothing of its kind can start anywhere now, by what this process or its record knows; "" when it may."""
        if self._leadership is None or not container.request.network:
            return ""
        return self._leadership.known_problem(last_told=container.reason)

    def _give_back(self, container: Container, node: Node, reason: str) -> Container:
        """Take off what an earlier call may have made, and let it wait. Raises Unavailable."""
        self._engines.remove(node, container.name)
        return self._store.unplace(container, reason=reason)

    def _run(self, container: Container, node: Node) -> Container:
        """Raises Unavailable when it isn't known what the engine has done."""
        watch = first_watch(container.request, now=self._clock.now())
        if watch is not None:  # before it runs, lest a call that dies here leave it unwatched
            self._watches.save_watch(watch)
        try:
            engine_id = self._made(container, node)
        except ImageMissing:
            return self._await_image(container, node)
        except Declined as error:
            if problem := self._problem_of(container):
                return self._give_back(container, node, problem)
            self._engines.remove(node, container.name)  # a copy that an earlier call, or this one, made
            return self._refused(container, str(error))
        except Conflict as error:  # the engine holds something else under this name
            return self._refused(container, f"{node.id} refused it: {error}")
        except InvalidInput:
            self._discard(container, node)
            raise
        return self._confirm(container, node, engine_id)

    def _made(self, container: Container, node: Node) -> str:
        """Create the container and start it; whether the engine answers is what the node's health tells."""
        try:
            engine_id = self._engines.create(node, container.request, image=container.image)
            self._start_copy(node, engine_id)
        except (Declined, ImageMissing):  # answers
            raise
        except Unavailable as error:
            # An engine waits long for a leader. Its start may still succeed, so the container stays where it is.
            if not isinstance(error, Unreachable) and (problem := self._problem_of(container)):
                raise Unavailable(problem) from error
            self._health.failed(node.id)
            raise
        if node.health < HEALTHY:
            self._health.answered(node.id)
        return engine_id

    def _problem_of(self, container: Container) -> str:
        """What is wrong with the Swarm, where that may be why a start failed."""
        if self._leadership is None or not container.request.network:
            return ""
        return self._leadership.problem()

    def _refused(self, container: Container, reason: str) -> Container:
        """Another engine may be tried at once; after that it rests, each time twice as long.

        What no engine can run would else be made and removed without end: each removal is an end that is told.
        """
        rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2**container.refusals)
        return self._store.unplace(container, reason=reason, rests_until=self._clock.now() + rest_s)

    def _start_copy(self, node: Node, engine_id: str) -> None:
        try:
            self._engines.start(node, engine_id)
        except Unreachable as error:  # nothing runs, but a copy is there and takes its place
            raise Unavailable(str(error)) from error

    def _confirm(self, container: Container, node: Node, engine_id: str) -> Container:
        try:
            return self._store.confirm(container, engine_id=engine_id, now=self._clock.now())
        except Conflict:
            now = self._store.container(container.name)
            going = now is None or now.state is ContainerState.REMOVING or now.request != container.request
            if now is not None and not going and now.node == node.id:
                return now  # another call goes on with it, or has done so
            self._engines.remove(node, engine_id)  # removed or moved meanwhile: leave no copy behind
            raise

    def _await_image(self, container: Container, node: Node) -> Container:
        """Have the node pull the image; the command's end goes on with the container."""
        try:
            return self.note(container, self._puller.ensure(node, container.image))
        except Declined as error:  # without its image nothing of it was made
            return self._store.unplace(container, reason=str(error))

    def note(self, container: Container, reason: str) -> Container:
        """Store why a container stands still and let others go on; a record that moved on meanwhile needs none."""
        try:
            return self._store.explain(container, reason=reason)
        except Conflict:
            return self._store.container(container.name) or container

    def _discard(self, container: Container, node: Node) -> None:
        """Take off a container that we alone work on; when the engine does not answer a later call ends it."""
        removing = self._store.begin_removal(container)
        try:
            self._engines.remove(node, container.name)
        except Unavailable:
            return
        self._store.release(removing)
