"""One pull of an image on a node at a time, however many containers wait for it there."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.model import Node, NodeId
from swarmkeeper.errors import Conflict, Declined, Unavailable
from swarmkeeper.ports import Clock, Command, CommandStatus, NodeCommands, Pull, Pulls

CLAIM_S = 45.0
"""A claim without a command is taken over after this time: the functions that pull have ended by then."""
PULL_LIMIT_S = 3660.0
"""The document gives a pull an hour (infra/documents.py); after this one it is asked for again."""
REST_S = 300.0
"""How long an image is not pulled again on its node: one of a wrong name would be asked for every minute."""


class Puller:
    """Has nodes pull images; safe under any number of concurrent callers."""

    def __init__(self, *, pulls: Pulls, commands: NodeCommands, clock: Clock) -> None:
        self._pulls = pulls
        self._commands = commands
        self._clock = clock

    def ensure(self, node: Node, image: str) -> str:
        """Have the node pull the image unless it is at it; returns what the container waits for.

        Raises Declined when it could not be pulled there a short while ago, Unavailable when the node can't be
        commanded now.
        """
        known = self._pulls.pull(node.id, image)
        if known is not None and self._is_under_way(known):
            return _waiting(known)
        if known is not None and known.failure and self._clock.now() < known.until:
            raise Declined(known.failure)
        claim = Pull(node.id, image, until=self._clock.now() + CLAIM_S)
        try:
            self._pulls.save_pull(claim, over=known)
        except Conflict:  # another call was first and sends the command
            return _waiting(claim)
        return self._send(claim)

    def ended(self, node_id: NodeId, command_id: str, *, succeeded: bool) -> str | None:
        """Note the end of a command; returns the image that it pulled, None when it was no pull of ours.

        It rests for a while, with the node's own words after a failure.
        """
        for pull in self._pulls.pulls_on(node_id):
            if pull.command_id == command_id:
                self._end(pull, succeeded=succeeded)
                return pull.image
        return None

    def failure(self, node_id: NodeId, image: str) -> str:
        """Why the image could not be pulled there a short while ago, "" when that isn't so."""
        known = self._pulls.pull(node_id, image)
        return "" if known is None else known.failure

    def _send(self, claim: Pull) -> str:
        try:
            command_id = self._commands.send(claim.node_id, Command.PULL, {"image": claim.image})
        except Unavailable:
            self._pulls.drop_pull(claim)
            raise
        sent = replace(claim, command_id=command_id, until=self._clock.now() + PULL_LIMIT_S)
        try:
            self._pulls.save_pull(sent, over=claim)
        except Conflict:  # it took us longer than the claim holds: another command was sent too, which is harmless
            return _waiting(claim)
        return _waiting(sent)

    def _is_under_way(self, pull: Pull) -> bool:
        """Whether waiting makes sense; a command whose end nobody told us of is noted."""
        if pull.failure or self._clock.now() >= pull.until:
            return False
        if not pull.command_id:
            return True
        status = self._commands.result(pull.command_id, pull.node_id).status
        if status is CommandStatus.FAILED:
            self._end(pull, succeeded=False)
            raise Declined(self.failure(pull.node_id, pull.image) or f"its image can't be pulled on {pull.node_id}")
        return status is CommandStatus.RUNNING

    def _end(self, pull: Pull, *, succeeded: bool) -> None:
        failure = _unused(pull) if succeeded else self._words(pull)
        try:
            self._pulls.save_pull(replace(pull, failure=failure, until=self._clock.now() + REST_S), over=pull)
        except Conflict:  # noted by another call
            return

    def _words(self, pull: Pull) -> str:
        """What the node said when it failed."""
        lines = self._commands.result(pull.command_id, pull.node_id).error.strip().splitlines()
        return ": ".join([f"its image can't be pulled on {pull.node_id} ({pull.command_id})", *lines[-1:]])


def _unused(pull: Pull) -> str:
    """Why an engine that lacks the image right after its pull is not asked again and again."""
    return f"its image was pulled on {pull.node_id} ({pull.command_id}), yet the engine says that it lacks it"


def _waiting(pull: Pull) -> str:
    command = f" ({pull.command_id})" if pull.command_id else ""
    return f"its image is being pulled on {pull.node_id}{command}"
