"""A moving container's own layer goes by the fleet's registry: it stands still, and its node commits and pushes it.

Who works on a save holds the container's lease, and each step is a conditional write of the container's record, so
that whoever comes by knows what has been done. A save is void before the old copy may run again: what it has pushed is
never used then, since the copy that runs writes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from swarmkeeper.domain.model import Container, Node, Save, Snapshot
from swarmkeeper.errors import Conflict, Unavailable
from swarmkeeper.ports import Clock, Command, CommandResult, CommandStatus, Engines, NodeCommands, StateStore

FOLDER = "snapshots"
"""Of the registry's repositories, those that begin so hold snapshots; admission refuses them as images."""
SAVE_LIMIT_S = 1260.0
"""The document gives a save 20 minutes (infra/documents.py); after this one it is given up."""
REST_S = 300.0
"""How long after a save that failed no other is begun: the container stands still for each."""
LONG_REST_S = 3600.0
"""The same where another try would find the same: a layer that is too big, or one too many."""
MOST_BELOW = 100
"""An engine refuses to commit what has 125 layers below its own (ADR 81)."""
SAVES_AT_ONCE = 2
"""Of one node: saves that share its disk and its network only make each other's gap longer."""
SAVED_BYTES_A_S = 10 * 2**20
"""What a save is counted with where time is short: less than half of what two engines on one machine did (ADR 81)."""
SENDING_S = 20.0
"""The same of a command's way to its node and back."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class LayerSettings:
    """The fleet's registry as references begin with it, None where it has none; and the largest layer to be saved.

    A registry may serve several fleets, so that each has a folder of its own.
    """

    fleet: str
    registry: str | None = None
    limit_bytes: int = 2**30


class Layers:
    """Saves containers' own layers for their moves."""

    def __init__(
        self,
        *,
        store: StateStore,
        engines: Engines,
        commands: NodeCommands,
        clock: Clock,
        random: Random,
        settings: LayerSettings,
    ) -> None:
        self._store = store
        self._engines = engines
        self._commands = commands
        self._clock = clock
        self._random = random
        self._settings = settings

    def first_step(self) -> Save:
        """A save that has not begun; its id is this move's alone."""
        return Save(f"{self._random.getrandbits(64):016x}")

    def problem(self, container: Container, source: Node) -> str:
        """Why it can't be saved now, "" when it can; nothing is stopped.

        What stays so is noted, and not looked at again for a while: to measure a layer takes its engine long. Where the
        node's time is short, short rests are none. Raises Conflict when the container is no longer as given.
        """
        by = None if source.leaving is None else source.leaving.by
        known = container.save
        if known is not None and known.rests(self._clock.now() if by is None else self._clock.now() + REST_S):
            return known.void
        if self._settings.registry is None:
            return self._noted(container, "its layer can't be saved: the fleet has no images.registry any more")
        if waits_for := self.turn(source):
            return waits_for
        try:
            layer = self._engines.layer(source, container.engine_id)
        except Unavailable as problem:
            return self._noted(container, f"its layer was not measured: {problem}", rest_s=REST_S)
        if layer is None:
            return f"{source.id} has no container {container.name}"
        if layer.size_bytes > self._settings.limit_bytes:
            most = f"drain.snapshot_limit is {_mib(self._settings.limit_bytes)}"
            return self._noted(container, f"its layer of {_mib(layer.size_bytes)} is not saved: {most}")
        if layer.below >= MOST_BELOW:
            return self._noted(container, f"its layer is not saved: it has {layer.below} below it, of {MOST_BELOW}")
        if by is not None and self._clock.now() + SENDING_S + layer.size_bytes / SAVED_BYTES_A_S > by:
            return f"there is no time to save its layer of {_mib(layer.size_bytes)}"
        return ""

    def turn(self, source: Node) -> str:
        """What a save has to wait for there, "" when few enough others are under way."""
        under_way = [each for each in self._store.containers_on(source.id) if each.node == source.id and _is_open(each)]
        return "" if len(under_way) < SAVES_AT_ONCE else f"others' layers are being saved on {source.id}"

    def send(self, container: Container, source: Node) -> Container:
        """Stop the container and send the command that saves it; gives its lease back. It must be leased.

        Raises Unavailable when its engine or its agent doesn't answer: it may stand still by then.
        """
        save, stopped_at = _begun(container), self._clock.now()
        self._engines.stop(source, container.name, network=container.request.network)
        reference = f"{self._repository(container)}:{save.move_id}"
        command_id = self._commands.send(
            source.id, Command.SAVE, {"container": container.engine_id, "image": reference}
        )
        sent = replace(save, command_id=command_id, stopped_at=stopped_at, until=self._clock.now() + SAVE_LIMIT_S)
        return self._store.note_save(container, sent)

    def waits_for(self, container: Container) -> str:
        """What a save waits for whose command runs; "" when somebody can go on with it."""
        save = container.save
        if save is None or not _is_open(container) or not save.command_id or self._clock.now() >= save.until:
            return ""
        is_over = self._result(container, save).status is not CommandStatus.RUNNING
        return "" if is_over else f"its layer is being saved on {container.node} ({save.command_id})"

    def note_end(self, container: Container) -> Container:
        """The record with what its command has saved, or why it came to nothing; as given while that runs.

        Its lease stays as it is. Raises Conflict when it is no longer as given.
        """
        save = container.save
        if save is None or not _is_open(container) or not save.command_id:
            return container
        result = self._result(container, save)
        digest = DIGEST.search(result.output) if result.status is CommandStatus.SUCCEEDED else None
        if digest is not None:
            taken_at = self._clock.now() if save.stopped_at is None else save.stopped_at
            snapshot = Snapshot(f"{self._repository(container)}@{digest[0]}", taken_at)
            return self._store.note_save(
                container, replace(save, is_done=True), snapshot=snapshot, lease_until=container.lease_until
            )
        if result.status is CommandStatus.RUNNING and self._clock.now() < save.until:
            return container
        return self.spoil(container, _words(save, result), rest_s=REST_S)

    def note_ends(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        """`note_end` of each; one that others write at this moment stays as given."""
        return tuple(map(self._noted_end, containers))

    def spoil(self, container: Container, why: str, *, rest_s: float = 0.0) -> Container:
        """Make its save void; needed before its old copy runs again. Harmless for what has none, or a void one.

        Raises Conflict when it is no longer as given.
        """
        save = container.save
        if save is None or save.void:
            return container
        void = replace(save, void=why, until=self._clock.now() + rest_s)
        return self._store.note_save(container, void, lease_until=container.lease_until)

    def _noted(self, container: Container, problem: str, *, rest_s: float = LONG_REST_S) -> str:
        void = Save("", void=problem, until=self._clock.now() + rest_s)
        self._store.note_save(container, void)
        return problem

    def _noted_end(self, container: Container) -> Container:
        try:
            return self.note_end(container)
        except Conflict:
            return container

    def _result(self, container: Container, save: Save) -> CommandResult:
        return (
            CommandResult(CommandStatus.FAILED)
            if container.node is None
            else self._commands.result(save.command_id, container.node)
        )

    def _repository(self, container: Container) -> str:
        request = container.request
        folder = f"{self._settings.registry}/{FOLDER}/{self._settings.fleet}"
        return f"{folder}/{request.tenant or 'default'}/{request.name}"


def _is_open(container: Container) -> bool:
    """Whether it is being moved, and its save is neither done nor void."""
    save = container.save
    return container.moving_to is not None and save is not None and not save.is_done and not save.void


def _begun(container: Container) -> Save:
    if container.save is None:
        raise Conflict(f"{container.name} is moved without a save")
    return container.save


def _words(save: Save, result: CommandResult) -> str:
    """What the node said when it failed."""
    lines = result.error.strip().splitlines()
    what = "took too long" if result.status is CommandStatus.RUNNING else "failed"
    return ": ".join([f"saving its layer {what} ({save.command_id})", *lines[-1:]])


def _mib(amount: int) -> str:
    return f"{amount / 2**20:.0f} MiB"
