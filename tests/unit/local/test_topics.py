"""Messages of a topic invoke the functions that subscribe to it, and still reach queues."""

from __future__ import annotations

import json

import pytest

from local.aws.topics import TopicDelivery
from tests.unit.local.wiring import Account, wait_until

SNS = "sns.amazonaws.com"


@pytest.fixture
def topic(account: Account) -> str:
    """A topic whose messages we deliver."""
    TopicDelivery(account.server, account.functions)
    return str(account.server.client("sns").create_topic(Name="alarms")["TopicArn"])


def subscribe(account: Account, topic: str, protocol: str, endpoint: str, **attributes: str) -> str:
    made = account.server.client("sns").subscribe(
        TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes, ReturnSubscriptionArn=True
    )
    return str(made["SubscriptionArn"])


def test_a_function_gets_the_standard_event(account: Account, topic: str) -> None:
    function = account.add()
    account.allow("f", SNS, topic)
    subscription = subscribe(account, topic, "lambda", function)
    sent = account.server.client("sns").publish(TopicArn=topic, Message="body", Subject="ALARM")
    (record,) = account.wait_for_calls(1)[0]["event"]["Records"]
    assert (record["EventSource"], record["EventSubscriptionArn"]) == ("aws:sns", subscription)
    assert record["Sns"]["MessageId"] == sent["MessageId"]
    assert (record["Sns"]["Message"], record["Sns"]["Subject"]) == ("body", "ALARM")
    assert record["Sns"]["TopicArn"] == topic
    assert record["Sns"]["Timestamp"].endswith("Z")


def test_a_function_that_fails_is_tried_again(account: Account, topic: str) -> None:
    function = account.add(handler="absent.handler")
    account.allow("f", SNS, topic)
    subscribe(account, topic, "lambda", function)
    account.server.client("sns").publish(TopicArn=topic, Message="body")
    log = account.functions.log_path("f")
    wait_until(lambda: log.exists() and log.read_text().count("REPORT RequestId") == 3)


def test_a_function_without_permission_gets_nothing(
    account: Account, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    subscribe(account, topic, "lambda", account.add())
    account.server.client("sns").publish(TopicArn=topic, Message="body")
    assert "message dropped" in caplog.text
    assert account.calls() == []


def test_what_could_not_be_delivered_goes_to_the_subscriptions_dead_letters(account: Account, topic: str) -> None:
    url, arn = account.queue("dead")
    subscribe(account, topic, "lambda", account.add(), RedrivePolicy=json.dumps({"deadLetterTargetArn": arn}))
    account.server.client("sns").publish(TopicArn=topic, Message="body")
    (body,) = account.wait_for_bodies(url)
    assert json.loads(body)["Records"][0]["Sns"]["Message"] == "body"


def test_a_filter_policy_is_honoured(account: Account, topic: str) -> None:
    function = account.add()
    account.allow("f", SNS, topic)
    subscribe(account, topic, "lambda", function, FilterPolicy=json.dumps({"kind": ["wanted"]}))
    for kind in ("other", "wanted"):
        account.server.client("sns").publish(
            TopicArn=topic, Message=kind, MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}}
        )
    (call,) = account.wait_for_calls(1)
    notification = call["event"]["Records"][0]["Sns"]
    assert notification["Message"] == "wanted"
    assert notification["MessageAttributes"] == {"kind": {"Type": "String", "Value": "wanted"}}


def test_a_queue_still_gets_its_copy(account: Account, topic: str) -> None:
    url, arn = account.queue("q")
    function = account.add()
    account.allow("f", SNS, topic)
    subscribe(account, topic, "sqs", arn)
    subscribe(account, topic, "lambda", function)
    account.server.client("sns").publish(TopicArn=topic, Message="body")
    assert json.loads(account.wait_for_bodies(url)[0])["Message"] == "body"
    account.wait_for_calls(1)


def test_each_message_of_a_batch_is_delivered(account: Account, topic: str) -> None:
    function = account.add()
    account.allow("f", SNS, topic)
    subscribe(account, topic, "lambda", function)
    entries = [{"Id": str(number), "Message": str(number)} for number in range(2)]
    account.server.client("sns").publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    calls = account.wait_for_calls(2)
    assert {call["event"]["Records"][0]["Sns"]["Message"] for call in calls} == {"0", "1"}
