from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

from swarmkeeper.adapters.aws.commands import RunCommands
from swarmkeeper.domain.model import NodeId
from swarmkeeper.errors import AgentNotReady, InvariantBroken, Unavailable
from swarmkeeper.ports import Command, CommandResult, CommandStatus

NODE = NodeId("i-0123456789abcdef0")
COMMAND_ID = "0831e1a8-a1ac-4257-a1fd-c831bEXAMPLE"


@pytest.fixture
def stubbed() -> Iterator[tuple[RunCommands, Stubber]]:
    client = boto3.session.Session("key-of-the-tests", "secret", region_name="eu-central-1").client("ssm")
    with Stubber(client) as answers:
        yield RunCommands(client, "demo"), answers
        answers.assert_no_pending_responses()


def test_a_command_runs_the_fleets_document_on_one_node(stubbed: tuple[RunCommands, Stubber]) -> None:
    commands, answers = stubbed
    answers.add_response(
        "send_command",
        {"Command": {"CommandId": COMMAND_ID}},
        {
            "InstanceIds": [NODE],
            "DocumentName": "demo-node-pull",
            "Parameters": {"image": ["web:1"]},
            "TimeoutSeconds": 60,
        },
    )
    assert commands.send(NODE, Command.PULL, {"image": "web:1"}) == COMMAND_ID


def test_a_windows_node_runs_a_document_of_its_own() -> None:
    client = boto3.session.Session("key-of-the-tests", "secret", region_name="eu-central-1").client("ssm")
    sent = {"InstanceIds": [NODE], "DocumentName": "demo-node-leave-windows", "Parameters": {}, "TimeoutSeconds": 60}
    with Stubber(client) as answers:
        answers.add_response("send_command", {"Command": {"CommandId": COMMAND_ID}}, sent)
        assert RunCommands(client, "demo", is_windows={NODE}.__contains__).send(NODE, Command.LEAVE, {}) == COMMAND_ID


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("InvalidInstanceId", AgentNotReady),
        ("InvalidDocument", InvariantBroken),
        ("InvalidParameters", InvariantBroken),
        ("ThrottlingException", Unavailable),
    ],
)
def test_a_refused_command_says_why(stubbed: tuple[RunCommands, Stubber], code: str, expected: type[Exception]) -> None:
    commands, answers = stubbed
    answers.add_client_error("send_command", code)
    with pytest.raises(expected):
        commands.send(NODE, Command.CSR, {})


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Pending", CommandStatus.RUNNING),
        ("InProgress", CommandStatus.RUNNING),
        ("Delayed", CommandStatus.RUNNING),
        ("Cancelling", CommandStatus.RUNNING),
        ("Success", CommandStatus.SUCCEEDED),
        ("Failed", CommandStatus.FAILED),
        ("TimedOut", CommandStatus.FAILED),
        ("Cancelled", CommandStatus.FAILED),
    ],
)
def test_a_command_stands_as_systems_manager_says(
    stubbed: tuple[RunCommands, Stubber], status: str, expected: CommandStatus
) -> None:
    commands, answers = stubbed
    answers.add_response(
        "get_command_invocation",
        {"Status": status, "StandardOutputContent": "out", "StandardErrorContent": "err"},
        {"CommandId": COMMAND_ID, "InstanceId": NODE},
    )
    assert commands.result(COMMAND_ID, NODE) == CommandResult(expected, "out", "err")


def test_a_command_that_was_just_sent_is_running(stubbed: tuple[RunCommands, Stubber]) -> None:
    commands, answers = stubbed
    answers.add_client_error("get_command_invocation", "InvocationDoesNotExist")
    assert commands.result(COMMAND_ID, NODE) == CommandResult(CommandStatus.RUNNING)
