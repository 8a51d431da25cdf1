"""Make reserved containers run: create and start them on their engines, have missing images pulled."""

from __future__ import annotations

import re

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node
from swarmkeeper.errors import Conflict, ImageMissing, InvalidInput, Unavailable
from swarmkeeper.ports import Command, CommandStatus, Engines, NodeCommands, StateStore

PULLING = re.compile(r"pulling its image \((.+)\)")


class Starter:
    """Takes containers from RESERVED to RUNNING, and off their engines again; every step may be repeated."""

    def __init__(self, *, store: StateStore, engines: Engines, commands: NodeCommands) -> None:
        self._store = store
        self._engines = engines
        self._commands = commands

    def start(self, container: Container, node: Node) -> Container:
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
            return self.note(container, str(error))
        except Conflict as error:  # the engine holds something else under this name
            return self._store.unplace(container, reason=f"{node.id} refused it: {error}")
        except InvalidInput:
            self.remove(self._store.begin_removal(container))
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
            return self.note(container, shared)
        try:
            command_id = self._commands.send(node.id, Command.PULL, {"image": container.request.image})
        except Unavailable as error:
            return self.note(container, str(error))
        return self.note(container, f"pulling its image ({command_id})")

    def _running_pull(self, container: Container, node: Node) -> str | None:
        """The reason of a container, this or another, that waits on this node for the same image's pull."""
        for other in self._store.containers_on(node.id):
            if other.request.image != container.request.image:
                continue
            match = PULLING.fullmatch(other.reason)
            if match and self._commands.result(match[1], node.id).status is CommandStatus.RUNNING:
                return other.reason
        return None

    def note(self, container: Container, reason: str) -> Container:
        """Store the reason why a container stands still; a record that moved on meanwhile needs none."""
        try:
            return self._store.explain(container, reason=reason)
        except Conflict:
            return self._store.container(container.name) or container

    def remove(self, container: Container) -> None:
        """Remove from the engines that may hold it, then give its reservations back."""
        for node_id in (container.node, container.moving_to):
            node = None if node_id is None else self._store.node(node_id)
            if node is not None and node.state is not NodeState.GONE:
                self._engines.remove(node, container.name)
        self._store.release(container)
