"""Lambda's event source mappings: messages of SQS queues go to functions in batches, and are deleted when handled."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.exceptions import InvalidParameterValueException

from local.aws.arns import Arn, function_name
from local.aws.concurrency import ThrottledError
from local.aws.invocations import Outcome
from local.aws.server import AwsServer

logger = logging.getLogger(__name__)

RECEIVE_AT_MOST = 10
"""Of one ReceiveMessage."""

DEFAULT_CONCURRENCY = 5
"""How many batches Lambda's pollers begin with."""

LONG_POLL_S = 1
"""Short, because a poller that is asked to stop ends its receive first."""

LOOK_EVERY_S = 0.02
"""For whether a receive would find anything. An empty one costs much more, and moto looks each 10 ms in it."""

Message = Mapping[str, Any]


class Functions(Protocol):
    """What runs a function to its end."""

    def invoke(self, function: str, payload: bytes) -> Outcome:
        """Run it now. Raises ThrottledError; LookupError when it doesn't exist."""


class QueuePollers:
    """A poller for every event source mapping that is made through the API, until `stop`."""

    def __init__(self, server: AwsServer, functions: Functions) -> None:
        self._server = server
        self._functions = functions
        self._pollers: list[Poller] = []
        self._backend = server.backend("lambda")
        self._create = self._backend.create_event_source_mapping
        self._backend.create_event_source_mapping = self._answer_create

    def stop(self) -> None:
        """End every poller; what a function still works on is waited for."""
        for poller in self._pollers:
            poller.cancel()
        for poller in self._pollers:
            poller.join()

    def _answer_create(self, spec: dict[str, Any]) -> Any:
        """Answer CreateEventSourceMapping: moto's own, and then a poller of ours in place of moto's delivery."""
        queue = self._server.backend("sqs").queues.get(Arn.parse(spec["EventSourceArn"]).resource)
        self._check(spec, queue)
        mapping = self._create(spec)
        if queue is not None:
            queue.lambda_event_source_mappings.clear()  # moto would invoke a container within SendMessage
            self._pollers.append(Poller(self._server, self._functions, self._backend, mapping))
        return mapping

    def _check(self, spec: Mapping[str, Any], queue: Any) -> None:
        """Refuse what AWS refuses, and what we don't have."""
        if spec.get("FilterCriteria", {}).get("Filters"):
            raise InvalidParameterValueException("The local cloud has no filters for event source mappings.")
        if queue is None:
            return
        timeout_s = self._backend.get_function(spec["FunctionName"]).timeout
        if int(queue.visibility_timeout) < int(timeout_s):
            raise InvalidParameterValueException(
                f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than "
                f"Function timeout: {timeout_s} seconds"
            )
        if int(spec.get("BatchSize") or 10) > RECEIVE_AT_MOST and not spec.get("MaximumBatchingWindowInSeconds"):
            raise InvalidParameterValueException(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
            )


class Poller:
    """Receives from one queue and runs one function."""

    def __init__(self, server: AwsServer, functions: Functions, backend: Any, mapping: Any) -> None:
        self._server = server
        self._functions = functions
        self._backend = backend
        self._mapping = mapping
        self._sqs = server.client("sqs")
        self._name = Arn.parse(mapping.event_source_arn).resource
        self._url = f"{server.endpoint_url}/{server.account}/{self._name}"
        self._stopping = threading.Event()
        limit = int((mapping.scaling_config or {}).get("MaximumConcurrency", DEFAULT_CONCURRENCY))
        self._free = threading.Semaphore(limit)
        self._workers = ThreadPoolExecutor(limit, thread_name_prefix="queue-batch")
        self._thread = threading.Thread(target=self._poll, name=f"poller-{self._url}", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Receive no more."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for the batches in work."""
        self._thread.join()
        self._workers.shutdown()

    def _poll(self) -> None:
        while not self._stopping.is_set() and self._backend.get_event_source_mapping(self._mapping.uuid):
            if not self._mapping.enabled:
                self._stopping.wait(LONG_POLL_S)
                continue
            if not self._finds_any():
                self._stopping.wait(LOOK_EVERY_S)
                continue
            # Taken before a message is: one received without a free place would wait with its visibility running out.
            if self._free.acquire(timeout=LONG_POLL_S):
                self._poll_once()

    def _finds_any(self) -> bool:
        """Whether the queue holds a message that is neither delayed nor being handled."""
        queue = self._server.backend("sqs").queues.get(self._name)
        return queue is not None and bool(queue.messages)

    def _poll_once(self) -> None:
        try:
            batch = self._batch()
        except (BotoCoreError, ClientError) as error:
            batch = []
            logger.warning("could not receive: %s", error, extra={"queue": self._url})
            self._stopping.wait(LONG_POLL_S)
        if batch:
            self._workers.submit(self._handle, batch)
        else:
            self._free.release()

    def _batch(self) -> list[Message]:
        """The next messages, as many as the mapping wants or its batching window brings; none after a short wait."""
        size = int(self._mapping.batch_size)
        batch = self._receive(size)
        ends = time.monotonic() + float(self._mapping.max_batch_window or 0)
        while batch and len(batch) < size and time.monotonic() < ends and not self._stopping.is_set():
            batch += self._receive(size - len(batch))
        return batch

    def _receive(self, size: int) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(size, RECEIVE_AT_MOST),
            WaitTimeSeconds=LONG_POLL_S,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def _handle(self, batch: Sequence[Message]) -> None:
        """Run the function; messages that aren't handled become visible again by themselves."""
        try:
            event = {"Records": [self._record(message) for message in batch]}
            outcome = self._functions.invoke(function_name(self._mapping.function_arn), json.dumps(event).encode())
            self._delete([message for message in batch if message["MessageId"] in self._handled(batch, outcome)])
        except (ThrottledError, LookupError) as error:
            logger.info("batch left in the queue: %s", error, extra={"queue": self._url})
        except (BotoCoreError, ClientError) as error:
            logger.warning("could not delete: %s", error, extra={"queue": self._url})
        except Exception:  # a worker's result is read by nobody
            logger.exception("batch failed", extra={"queue": self._url})
        finally:
            self._free.release()

    def _handled(self, batch: Sequence[Message], outcome: Outcome) -> set[str]:
        """The ids of the messages that the function has handled."""
        ids = {str(message["MessageId"]) for message in batch}
        if outcome.error:
            return set()
        if "ReportBatchItemFailures" not in (self._mapping.function_response_types or []):
            return ids
        return ids - failed_ids(outcome.payload, ids)

    def _delete(self, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), RECEIVE_AT_MOST):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages[start : start + RECEIVE_AT_MOST])
            ]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def _record(self, message: Message) -> dict[str, object]:
        shown = ("ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp")
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": {name: str(value) for name, value in message["Attributes"].items() if name in shown},
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                }
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._mapping.event_source_arn,
            "awsRegion": self._server.region,
        }


def failed_ids(payload: bytes, batch_ids: set[str]) -> set[str]:
    """The messages that a partial batch response names; all of them when it is malformed, none when it is empty.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    try:
        response = json.loads(payload or b"null")
        failures = (response or {}).get("batchItemFailures") or []
        named = {failure["itemIdentifier"] for failure in failures}
    except (AttributeError, KeyError, TypeError, ValueError):
        return batch_ids
    return named if named <= batch_ids else batch_ids
