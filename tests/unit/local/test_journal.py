from __future__ import annotations

import json

import pytest

from local.aws.invocations import Outcome
from local.journal import Journal, origin

ALARM = {"AlarmName": "demo-pending", "NewStateValue": "ALARM"}


class FakeFunctions:
    def invoke(self, function: str, payload: bytes) -> Outcome:
        return Outcome(b"null")

    def invoke_async(self, function: str, payload: bytes) -> str:
        return "request-1"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(
            {"Records": [{"Sns": {"MessageId": "m-1", "Message": json.dumps(ALARM)}}]},
            ("sns", ("m-1",), "demo-pending ALARM"),
            id="an alarm's message",
        ),
        pytest.param(
            {"Records": [{"body": json.dumps({"id": "e-1"})}, {"body": "text"}]},
            ("sqs", ("e-1", ""), ""),
            id="events in a queue's batch",
        ),
        pytest.param({"detail-type": "Node Ready", "id": "e-2"}, ("events", ("e-2",), ""), id="an event"),
        pytest.param({"action": "list"}, ("direct", (), ""), id="a direct call"),
        pytest.param(None, ("direct", (), ""), id="nothing"),
    ],
)
def test_the_origin_of_an_event_is_told_by_its_shape(event: object, expected: object) -> None:
    assert origin(json.dumps(event).encode()) == expected


def test_every_call_is_noted() -> None:
    journal = Journal(FakeFunctions())
    journal.invoke_async(
        "arn:aws:lambda:eu-central-1:123456789012:function:demo-scaler", b'{"id": "e", "detail-type": ""}'
    )
    journal.invoke("demo-registrar", b"{}")
    assert [(call.function, call.source, call.request_id) for call in journal.calls()] == [
        ("demo-scaler", "events", "request-1"),
        ("demo-registrar", "direct", ""),
    ]
