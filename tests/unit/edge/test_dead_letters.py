"""What lies in dead-letter queues, in every wrapping that AWS puts around it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swarmkeeper.edge.dead_letters import Todo, dead_letter

READY = {"id": "1", "source": "swarmkeeper.demo", "detail-type": "NodeReady", "time": "2026-01-01T00:00:00Z"}
TICK = {"id": "2", "source": "aws.events", "detail-type": "Scheduled Event", "time": "2026-01-01T00:00:00Z"}
NOTICE = {"Type": "Notification", "MessageId": "3", "TopicArn": "arn:aws:sns:eu-west-3:1:demo-alarms", "Message": "{}"}
BATCH = {"Records": [{"EventSource": "aws:sns", "Sns": NOTICE}]}
ACTION = {"source": "aws.cloudwatch", "alarmArn": "arn:a", "alarmData": {"alarmName": "a", "state": {"value": "ALARM"}}}
REMOVE = {"action": "remove", "name": "web-1"}


def failed(event: dict[str, Any], **answer: Any) -> dict[str, Any]:
    """As Lambda keeps an invocation whose retries are used up."""
    context = {"functionArn": "arn:aws:lambda:eu-west-3:1:function:demo-placement", "condition": "RetriesExhausted"}
    return {"version": "1.0", "requestContext": context, "requestPayload": event, **answer}


@pytest.mark.parametrize(
    ("body", "todo", "what"),
    [
        pytest.param(READY, Todo.SEND, "NodeReady", id="an event that could not be delivered"),
        pytest.param(failed(READY), Todo.SEND, "NodeReady", id="an event that a function failed at"),
        pytest.param(BATCH, Todo.SEND, "Notification", id="a topic's records"),
        pytest.param(failed(BATCH), Todo.SEND, "Notification", id="a topic's records that a function failed at"),
        pytest.param(NOTICE, Todo.SEND, "Notification", id="a topic's notification"),
        pytest.param(failed(ACTION), Todo.SEND, "Alarm action", id="an alarm's own call"),
        pytest.param(failed(TICK), Todo.DROP, "Scheduled Event", id="a tick"),
        pytest.param(failed(REMOVE), Todo.LEAVE, "not an event", id="a call"),
        pytest.param([READY], Todo.LEAVE, "not an event", id="a list"),
    ],
)
def test_a_letter_is_sent_dropped_or_left_by_what_it_is(body: object, todo: Todo, what: str) -> None:
    letter = dead_letter(json.dumps(body), {})
    assert (letter.todo, letter.what) == (todo, what)


def test_a_body_that_is_no_json_is_left() -> None:
    assert dead_letter("{", {}).todo is Todo.LEAVE


def test_a_functions_event_is_taken_out_of_its_wrapping() -> None:
    assert dead_letter(json.dumps(failed(READY)), {}).event == READY


def test_a_notification_becomes_the_event_that_the_function_gets() -> None:
    (record,) = dead_letter(json.dumps(NOTICE), {}).event["Records"]
    assert (record["EventSource"], record["Sns"]) == ("aws:sns", NOTICE)


@pytest.mark.parametrize(
    ("body", "attributes", "why"),
    [
        pytest.param(
            failed(READY, responsePayload={"errorType": "Unavailable", "errorMessage": "the table"}),
            {},
            "Unavailable: the table",
            id="an exception",
        ),
        pytest.param(
            failed(READY, responsePayload={"errorMessage": "Task timed out after 30.00 seconds"}),
            {},
            "Task timed out after 30.00 seconds",
            id="a time-out",
        ),
        pytest.param(failed(READY, responsePayload=None), {}, "RetriesExhausted", id="no answer"),
        pytest.param(
            READY,
            {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not allowed"},
            "NO_PERMISSIONS: not allowed",
            id="not delivered",
        ),
        pytest.param(
            READY,
            {"DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-3:1:demo-registrar"},
            "received too often from demo-registrar",
            id="received too often",
        ),
        pytest.param(READY, {}, "not told", id="nothing is told"),
    ],
)
def test_why_it_failed_is_told_as_far_as_aws_tells_it(body: object, attributes: dict[str, str], why: str) -> None:
    assert dead_letter(json.dumps(body), attributes).why == why
