"""Messages reach functions in batches, and only what was handled is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from local.aws.queues import QueuePollers, failed_ids
from tests.unit.local.wiring import Account, wait_until


@pytest.fixture
def pollers(account: Account) -> Iterator[QueuePollers]:
    one = QueuePollers(account.server, account.functions)
    yield one
    one.stop()


def connect(account: Account, queue_arn: str, **mapping: object) -> str:
    made = account.server.client("lambda").create_event_source_mapping(
        FunctionName="f", EventSourceArn=queue_arn, **mapping
    )
    return str(made["UUID"])


def counts(account: Account, url: str) -> tuple[int, int]:
    """How many messages can be received, and how many are in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = account.server.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(answer[names[0]]), int(answer[names[1]])


def test_a_message_becomes_the_standard_event_and_is_deleted(account: Account, pollers: QueuePollers) -> None:
    url, arn = account.queue("q")
    account.add()
    connect(account, arn)
    sent = account.server.client("sqs").send_message(
        QueueUrl=url, MessageBody="hello", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}}
    )
    (record,) = account.wait_for_calls(1)[0]["event"]["Records"]
    assert record["messageId"] == sent["MessageId"]
    assert record["body"] == "hello"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["a"]["stringValue"] == "b"
    assert (record["eventSource"], record["eventSourceARN"]) == ("aws:sqs", arn)
    assert record["awsRegion"] == account.server.region
    wait_until(lambda: counts(account, url) == (0, 0))


def test_the_messages_of_a_failed_batch_come_again_and_end_in_the_dead_letter_queue(
    account: Account, pollers: QueuePollers
) -> None:
    dead_url, dead_arn = account.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = account.queue("q", VisibilityTimeout="1", RedrivePolicy=redrive)
    account.add(handler="fails.handler", timeout_s=1)
    (account.folder / "fails.py").write_text(
        "import tiny\ndef handler(event, context):\n    tiny.handler(event, context)\n    raise ValueError\n"
    )
    connect(account, arn)
    account.server.client("sqs").send_message(QueueUrl=url, MessageBody="poison")
    assert account.wait_for_bodies(dead_url) == ["poison"]
    received = [call["event"]["Records"][0]["attributes"]["ApproximateReceiveCount"] for call in account.calls()]
    assert received == ["1", "2"]


def test_only_the_messages_that_a_partial_response_names_stay(account: Account, pollers: QueuePollers) -> None:
    url, arn = account.queue("q", VisibilityTimeout="30")
    account.add(handler="partial.handler")
    (account.folder / "partial.py").write_text(
        "import tiny\n"
        "def handler(event, context):\n"
        "    tiny.handler(event, context)\n"
        "    bad = [r['messageId'] for r in event['Records'] if r['body'] == 'bad']\n"
        "    return {'batchItemFailures': [{'itemIdentifier': one} for one in bad]}\n"
    )
    sqs = account.server.client("sqs")
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(["good", "bad", "fine"])]
    )
    connect(account, arn, FunctionResponseTypes=["ReportBatchItemFailures"], BatchSize=10)
    wait_until(lambda: len(account.calls()) >= 1 and counts(account, url) == (0, 1))


def test_a_function_may_bring_its_message_back_sooner(account: Account, pollers: QueuePollers) -> None:
    url, arn = account.queue("q", VisibilityTimeout="600")
    account.add(handler="sooner.handler")
    (account.folder / "sooner.py").write_text(
        "import boto3, tiny\n"
        "def handler(event, context):\n"
        "    tiny.handler(event, context)\n"
        "    record = event['Records'][0]\n"
        "    if record['attributes']['ApproximateReceiveCount'] == '1':\n"
        f"        boto3.client('sqs').change_message_visibility(QueueUrl={url!r},\n"
        "            ReceiptHandle=record['receiptHandle'], VisibilityTimeout=0)\n"
        "        return {'batchItemFailures': [{'itemIdentifier': record['messageId']}]}\n"
    )
    connect(account, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    account.server.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    account.wait_for_calls(2)
    wait_until(lambda: counts(account, url) == (0, 0))


def test_a_batching_window_gathers_messages(account: Account, pollers: QueuePollers) -> None:
    url, arn = account.queue("q")
    account.add()
    connect(account, arn, BatchSize=3, MaximumBatchingWindowInSeconds=20)
    for number in range(3):
        account.server.client("sqs").send_message(QueueUrl=url, MessageBody=str(number))
    (call,) = account.wait_for_calls(1)
    assert len(call["event"]["Records"]) == 3


def test_a_queues_delay_is_kept_before_a_message_is_received(account: Account, pollers: QueuePollers) -> None:
    url, arn = account.queue("q", DelaySeconds="1")
    account.add()
    connect(account, arn)
    account.server.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    (record,) = account.wait_for_calls(1)[0]["event"]["Records"]
    times = record["attributes"]
    assert int(times["ApproximateFirstReceiveTimestamp"]) - int(times["SentTimestamp"]) >= 1000


def test_a_mapping_that_was_deleted_receives_nothing(account: Account, pollers: QueuePollers) -> None:
    url, arn = account.queue("q")
    account.add()
    account.server.client("lambda").delete_event_source_mapping(UUID=connect(account, arn))
    pollers.stop()  # returns once the poller has seen it
    account.server.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert counts(account, url) == (1, 0)


def test_a_visibility_below_the_functions_time_out_is_refused(account: Account, pollers: QueuePollers) -> None:
    _, arn = account.queue("q", VisibilityTimeout="10")
    account.add(timeout_s=30)
    with pytest.raises(ClientError, match="less than Function timeout"):
        connect(account, arn)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(None, set(), id="null"),
        pytest.param({}, set(), id="an empty object"),
        pytest.param({"batchItemFailures": []}, set(), id="no failures"),
        pytest.param({"batchItemFailures": None}, set(), id="null failures"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}, id="one"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}, id="an empty id"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "c"}]}, {"a", "b"}, id="an unknown id"),
        pytest.param({"batchItemFailures": [{"id": "a"}]}, {"a", "b"}, id="a wrong key"),
        pytest.param("text", {"a", "b"}, id="not an object"),
    ],
)
def test_partial_responses_are_read_as_on_aws(response: object, expected: set[str]) -> None:
    assert failed_ids(json.dumps(response).encode(), {"a", "b"}) == expected
