"""`swarmkeeper redrive`: events that failed for good are shown, and sent again without loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner, Result

from swarmkeeper.cli import dead_letters, redrive
from swarmkeeper.cli.dead_letters import QUEUES, DeadLetters
from swarmkeeper.cli.fleet import FleetError
from swarmkeeper.cli.main import app

REMOVE = {"action": "remove", "name": "web-1"}


@dataclass
class Functions:
    """Lambda, which takes `room` events and then no more."""

    room: int = 1000
    taken: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> object:  # noqa: N803  AWS's names
        if len(self.taken) == self.room:
            raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "slow down"}}, "Invoke")
        self.taken.append((FunctionName, InvocationType, json.loads(Payload)))
        return {"StatusCode": 202}


@dataclass
class Account:
    """The queues of the fleet `demo` in an account, and what becomes of a command there."""

    sqs: Any
    functions: Functions = field(default_factory=Functions)

    def keep(self, queue: str, body: object) -> None:
        self.sqs.send_message(QueueUrl=self.url(queue), MessageBody=json.dumps(body))

    def url(self, queue: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=f"demo-{queue}")["QueueUrl"])

    def visible(self, queue: str) -> list[dict[str, Any]]:
        """What anybody would receive from the queue now."""
        found = self.sqs.receive_message(QueueUrl=self.url(queue), MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(each["Body"]) for each in found.get("Messages", [])]

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["redrive", *arguments])

    def told(self, *arguments: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self.run(*arguments, "--json").stdout)
        return found


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(dead_letters, "WAIT_S", 0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        one = Account(boto3.client("sqs", region_name="eu-west-3"))
        for name in ("registrar", *(f"{each}-dlq" for each in QUEUES)):
            one.sqs.create_queue(QueueName=f"demo-{name}")
        monkeypatch.setattr(
            redrive, "find_dead_letters", lambda fleet: DeadLetters(fleet or "demo", one.sqs, one.functions)
        )
        yield one


def an_event(number: int = 1, kind: str = "NodeReady") -> dict[str, Any]:
    return {"id": str(number), "source": "swarmkeeper.demo", "detail-type": kind, "time": "2026-01-01T00:00:00Z"}


def test_an_event_goes_to_its_function_again_and_then_from_the_queue(account: Account) -> None:
    account.keep("placement-dlq", {"requestPayload": an_event(), "responsePayload": {"errorMessage": "timed out"}})
    result = account.run("placement")
    assert result.exit_code == 0
    assert account.functions.taken == [("demo-placement:live", "Event", an_event())]
    assert account.visible("placement-dlq") == []
    assert ("timed out" in result.stdout, "sent again" in result.stdout) == (True, True)


def test_the_registrars_events_go_through_its_queue(account: Account) -> None:
    account.keep("registrar-dlq", an_event())
    assert account.run("registrar").exit_code == 0
    assert account.visible("registrar") == [an_event()]
    assert (account.functions.taken, account.visible("registrar-dlq")) == ([], [])


def test_where_nothing_has_failed_that_is_said(account: Account) -> None:
    done = account.run("--list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no event has failed for good" in done.stderr
    assert account.told() == []


def test_a_list_sends_nothing_and_leaves_everything_for_others_to_see(account: Account) -> None:
    account.keep("scaler-dlq", {"requestPayload": an_event(), "requestContext": {"condition": "EventAgeExceeded"}})
    (told,) = account.told("--list")
    assert (told["queue"], told["what"], told["why"], told["done"]) == ("scaler", "NodeReady", "EventAgeExceeded", "")
    assert account.functions.taken == []
    assert len(account.visible("scaler-dlq")) == 1


def test_all_queues_are_redriven_when_none_is_named(account: Account) -> None:
    for queue in QUEUES:
        account.keep(f"{queue}-dlq", an_event())
    assert [each["queue"] for each in account.told()] == list(QUEUES)


def test_ticks_are_dropped_for_the_next_has_done_their_work(account: Account) -> None:
    account.keep("reconciler-dlq", {"requestPayload": an_event(kind="Scheduled Event")})
    assert [each["done"] for each in account.told()] == ["dropped"]
    assert (account.functions.taken, account.visible("reconciler-dlq")) == ([], [])


def test_a_call_is_left_for_it_could_meet_another_container_of_that_name(account: Account) -> None:
    account.keep("placement-dlq", {"requestPayload": REMOVE})
    result = account.run("placement")
    assert (result.exit_code, "left" in result.stdout) == (1, True)
    assert account.functions.taken == []
    assert account.visible("placement-dlq") == [{"requestPayload": REMOVE}]


def test_what_was_not_taken_stays_and_what_was_taken_is_told(account: Account) -> None:
    account.functions.room = 1
    for number in range(3):
        account.keep("placement-dlq", an_event(number))
    result = account.run("placement", "--json")
    assert (result.exit_code, "slow down" in result.stderr) == (3, True)
    assert [each["done"] for each in json.loads(result.stdout)] == ["sent again"]
    assert len(account.visible("placement-dlq")) == 2


def test_a_second_call_sends_what_the_first_could_not_and_nothing_twice(account: Account) -> None:
    account.functions.room = 1
    for number in range(3):
        account.keep("placement-dlq", an_event(number))
    account.run("placement")
    account.functions.room = 1000
    account.run("placement")
    assert sorted(event["id"] for _, _, event in account.functions.taken) == ["0", "1", "2"]


def test_more_than_one_batch_is_sent_and_no_more_than_asked_for(account: Account) -> None:
    for number in range(25):
        account.keep("placement-dlq", an_event(number))
    assert len(account.told("placement", "--most", "12")) == 12
    assert len(account.told("placement")) == 13


def test_a_queue_that_is_none_of_the_fleets_is_wrong_usage(account: Account) -> None:
    assert account.run("capacity").exit_code == 2


def test_a_fleet_that_is_not_reached_is_told(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(fleet: str | None) -> DeadLetters:
        raise FleetError(f"no fleet {fleet}")

    monkeypatch.setattr(redrive, "find_dead_letters", nowhere)
    result = account.run("--fleet", "absent")
    assert (result.exit_code, "no fleet absent" in result.stderr) == (3, True)


def test_a_fleet_without_such_a_queue_is_told(account: Account) -> None:
    assert account.run("--fleet", "other").exit_code == 3
