"""The fleet's dead-letter queues: read, and sent again one message after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from swarmkeeper.alias import ALIAS
from swarmkeeper.cli.fleet import FleetError, find_clients
from swarmkeeper.edge.dead_letters import DeadLetter, Todo, dead_letter

QUEUES = ("placement", "scaler", "registrar", "reconciler")
"""Each is called after the function whose events it keeps; tests/infra compares them with the template."""
QUEUED = ("registrar",)
"""The functions that get their events through a queue of their own."""
MOST = 1000
HIDDEN_S = 600
"""How long a message that was received is hidden from others: longer than it takes to send `MOST` of them."""
AT_ONCE = 10
WAIT_S = 1
"""With a wait all of SQS's servers are asked: an empty answer then means an empty queue."""
Result = TypeVar("Result")


class Queues(Protocol):
    """What is used of SQS's client."""

    def get_queue_url(self, *, QueueName: str) -> Mapping[str, Any]: ...  # noqa: N803  AWS's names

    def receive_message(self, **wanted: Any) -> Mapping[str, Any]: ...

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> object: ...  # noqa: N803

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> object: ...  # noqa: N803

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> object: ...


class Functions(Protocol):
    """What is used of Lambda's client."""

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> object: ...  # noqa: N803


@dataclass(frozen=True, slots=True)
class Kept:
    """A message of a dead-letter queue; `receipt` is what the queue knows it by while it is hidden from others."""

    receipt: str
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The dead-letter queues of the fleet `name`. Every method raises FleetError when AWS refuses or is not reached."""

    name: str
    queues: Queues
    functions: Functions

    def look(self, queue: str, most: int) -> list[DeadLetter]:
        """What lies in the queue, at most so many; all of it stays."""
        url = self._url(f"{queue}-dlq")
        found = self._received(url, most)
        self._show_again(url, found)
        return [each.letter for each in found]

    def redrive(self, queue: str, most: int) -> Iterator[DeadLetter]:
        """Send at most so many again, and tell each that is done with. What is left, or was not reached, stays.

        All are received before the first is sent, so that one that fails again is not sent again by the same call. A
        message is deleted after what it holds has been taken by where it was sent to, never before: what is cut off
        in between is sent twice, which every handler knows.
        """
        url = self._url(f"{queue}-dlq")
        found = self._received(url, most)
        stays: list[Kept] = []
        try:
            while found:
                if found[0].letter.todo is Todo.LEAVE:
                    stays.append(found[0])
                else:
                    self._settle(queue, url, found[0])
                yield found.pop(0).letter
        finally:
            self._show_again(url, stays + found)

    def _settle(self, queue: str, url: str, kept: Kept) -> None:
        if kept.letter.todo is Todo.SEND:
            self._send(queue, json.dumps(kept.letter.event))
        _asked(lambda: self.queues.delete_message(QueueUrl=url, ReceiptHandle=kept.receipt))

    def _send(self, queue: str, event: str) -> None:
        """Into the function's queue, or to the function, which takes it without being waited for."""
        if queue in QUEUED:
            url = self._url(queue)
            _asked(lambda: self.queues.send_message(QueueUrl=url, MessageBody=event))
        else:
            function = f"{self.name}-{queue}:{ALIAS}"
            _asked(lambda: self.functions.invoke(FunctionName=function, InvocationType="Event", Payload=event.encode()))

    def _received(self, url: str, most: int) -> list[Kept]:
        """At most so many messages, each once, hidden from others for a while."""
        found: dict[str, Kept] = {}
        while len(found) < most and (batch := self._batch(url, min(AT_ONCE, most - len(found)))):
            found |= {str(each["MessageId"]): _kept(each) for each in batch}
        return list(found.values())

    def _batch(self, url: str, size: int) -> list[Mapping[str, Any]]:
        answer = _asked(
            lambda: self.queues.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=size,
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=WAIT_S,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        )
        return list(answer.get("Messages", []))

    def _show_again(self, url: str, kept: list[Kept]) -> None:
        for each in kept:
            show = partial(self.queues.change_message_visibility, QueueUrl=url, ReceiptHandle=each.receipt)
            _asked(partial(show, VisibilityTimeout=0))

    def _url(self, queue: str) -> str:
        return str(_asked(lambda: self.queues.get_queue_url(QueueName=f"{self.name}-{queue}"))["QueueUrl"])


def find_dead_letters(fleet: str | None) -> DeadLetters:
    """Those of the fleet that `find_clients` finds. Raises FleetError."""
    name, client = find_clients(fleet)
    return DeadLetters(name, client("sqs"), client("lambda"))


def _kept(message: Mapping[str, Any]) -> Kept:
    own = {name: str(each.get("StringValue", "")) for name, each in message.get("MessageAttributes", {}).items()}
    return Kept(str(message["ReceiptHandle"]), dead_letter(message["Body"], {**message.get("Attributes", {}), **own}))


def _asked(call: Callable[[], Result]) -> Result:
    from botocore.exceptions import BotoCoreError, ClientError  # here, so that help doesn't wait for it

    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        raise FleetError(str(error)) from error
