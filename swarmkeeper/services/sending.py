"""A command is claimed in its node's record before it is sent: of calls that meet, one sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from swarmkeeper.domain.membership import Step
from swarmkeeper.domain.model import Node, SentCommand
from swarmkeeper.errors import Conflict, NodeChanged, SwarmkeeperError
from swarmkeeper.ports import Clock, Command, NodeCommands, StateStore
from swarmkeeper.services.transitions import stepped

COMMAND_TRIES = 2
"""How often a command that fails is sent before it is given up."""
CLAIM_S = 60.0
"""A claim without a command is taken over after this time: whoever wrote it has ended by then, since the registrar
function lives for 55 s at most (infra/functions.py)."""
GIVEN_BACK = 0.0
"""The `sent_at` of a claim that its writer has given up: it may be taken over at once."""
RECORD_TRIES = 5


class Sender:
    """Sends the commands of a node's life, each once however many calls want it sent."""

    def __init__(self, *, store: StateStore, commands: NodeCommands, clock: Clock) -> None:
        self._store = store
        self._commands = commands
        self._clock = clock

    def send(
        self,
        node: Node,
        command: Command,
        parameters: Mapping[str, str],
        step: Step,
        *,
        attempt: int = 1,
        subject: str = "",
    ) -> Node:
        """Take the step and send its command; returns the record with the command's id.

        Raises NodeChanged, with nothing sent, when another call was first. Raises what sending raises, with the
        claim given back, so that the next call may send at once.
        """
        claim = SentCommand("", command, sent_at=self._clock.now(), attempt=attempt, subject=subject)
        claimed = self._store.save_node(stepped(replace(node, command=claim), step, now=claim.sent_at))
        try:
            command_id = self._commands.send(node.id, command, parameters)
        except SwarmkeeperError:
            self._record(claimed, replace(claim, sent_at=GIVEN_BACK))
            raise
        return self._record(claimed, replace(claim, id=command_id))

    def is_being_sent(self, claim: SentCommand) -> bool:
        """Whether the call that wrote the claim may still be about to send."""
        return self._clock.now() < claim.sent_at + CLAIM_S

    def _record(self, claimed: Node, command: SentCommand) -> Node:
        """Put the command in its claim's place, whatever else of the node was changed meanwhile.

        Raises Conflict when the claim itself is gone: taken over, or its node has moved on.
        """
        node = claimed
        for _ in range(RECORD_TRIES):
            try:
                return self._store.save_node(replace(node, command=command))
            except NodeChanged as changed:
                actual = changed.actual
                if actual is None or (actual.state, actual.command) != (claimed.state, claimed.command):
                    raise
                node = actual
        raise Conflict(f"the record of {claimed.id} is contended")
