"""Commands on nodes by Systems Manager's Run Command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from swarmkeeper.adapters.aws.errors import aws_errors, code_of
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import AgentNotReady
from swarmkeeper.ports import WINDOWS_DOCUMENT, Command, CommandResult, CommandStatus

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

UNDER_WAY = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})
DELIVERY_TIMEOUT_S = 60
"""How long a command may wait for an agent that has registered; a lost node must not get it hours later."""


class RunCommands:
    """NodeCommands over the documents `<fleet>-<command>`, and `<fleet>-<command>-windows` where a node runs that."""

    def __init__(
        self, client: SSMClient, fleet: str, *, is_windows: Callable[[NodeId], bool] = lambda _: False
    ) -> None:
        self._client = client
        self._fleet = fleet
        self._is_windows = is_windows

    def send(self, node_id: NodeId, command: Command, parameters: Mapping[str, str]) -> str:
        document = f"{self._fleet}-{command}{WINDOWS_DOCUMENT if self._is_windows(node_id) else ''}"
        with aws_errors():
            try:
                sent = self._client.send_command(
                    InstanceIds=[node_id],
                    DocumentName=document,
                    Parameters={name: [value] for name, value in parameters.items()},
                    TimeoutSeconds=DELIVERY_TIMEOUT_S,
                )
            except ClientError as error:
                if code_of(error) == "InvalidInstanceId":
                    raise AgentNotReady(f"the agent of {node_id} has not registered") from error
                raise
        return sent["Command"]["CommandId"]

    def result(self, command_id: str, node_id: NodeId) -> CommandResult:
        with aws_errors():
            try:
                found = self._client.get_command_invocation(CommandId=command_id, InstanceId=node_id)
            except ClientError as error:
                # For some moments after it was sent, a command has no invocation yet.
                if code_of(error) == "InvocationDoesNotExist":
                    return CommandResult(CommandStatus.RUNNING)
                raise
        return CommandResult(
            _status(found["Status"]), found.get("StandardOutputContent", ""), found.get("StandardErrorContent", "")
        )


def _status(status: str) -> CommandStatus:
    if status == "Success":
        return CommandStatus.SUCCEEDED
    return CommandStatus.RUNNING if status in UNDER_WAY else CommandStatus.FAILED
