"""Run Command with agents that register when a test says so, and commands that end when it says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import AgentNotReady
from swarmkeeper.ports import Command, CommandResult, CommandStatus
from tests.fakes.faults import Fallible, can_fail


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that was sent."""

    id: str
    node_id: NodeId
    command: Command
    parameters: dict[str, str]


class FakeCommands(Fallible):
    """`sent` holds every command in order; each stays RUNNING until `finish`."""

    def __init__(self, *registered: str) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self._registered = set(registered)
        self._results: dict[str, CommandResult] = {}

    def register(self, node_id: str) -> None:
        """Let the node's agent register, as it does some seconds after boot."""
        self._registered.add(node_id)

    def deregister(self, node_id: str) -> None:
        """Let the node's agent vanish with its instance."""
        self._registered.discard(node_id)

    def finish(
        self,
        command_id: str,
        *,
        output: str = "",
        error: str = "",
        status: CommandStatus = CommandStatus.SUCCEEDED,
    ) -> None:
        """End the command."""
        self._results[command_id] = CommandResult(status, output, error)

    def last(self, command: Command) -> Sent:
        """The latest command of this kind; IndexError when none was sent."""
        return [sent for sent in self.sent if sent.command is command][-1]

    @can_fail
    def send(self, node_id: NodeId, command: Command, parameters: Mapping[str, str]) -> str:
        if node_id not in self._registered:
            raise AgentNotReady(f"the agent of {node_id} has not registered")
        sent = Sent(f"command-{len(self.sent) + 1}", node_id, command, dict(parameters))
        self.sent.append(sent)
        return sent.id

    @can_fail
    def result(self, command_id: str, node_id: NodeId) -> CommandResult:
        # Systems Manager knows an invocation by both ids, and says for a moment that it knows it not.
        if not any(sent.id == command_id and sent.node_id == node_id for sent in self.sent):
            return CommandResult(CommandStatus.RUNNING)
        return self._results.get(command_id, CommandResult(CommandStatus.RUNNING))
