"""Recorded events, and what a function is called with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

EVENTS = Path(__file__).parent / "events"


def recorded(name: str, **detail: Any) -> dict[str, Any]:
    """The event of that name, its detail changed where a test says so."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    if detail:
        event["detail"] |= detail
    return event


def in_queue(*bodies: object) -> dict[str, Any]:
    """What an event source mapping hands over for these message bodies."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": f"receipt-{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1795387200000",
                    "SenderId": "events",
                    "ApproximateFirstReceiveTimestamp": "1795387200001",
                },
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:demo-registrar",
                "awsRegion": "eu-central-1",
            }
            for number, body in enumerate(bodies, 1)
        ]
    }


class Context(LambdaContext):
    """The part of Lambda's context that Powertools reads."""

    _function_name = "demo-function"
    _function_version = "1"
    _memory_limit_in_mb = 256
    _invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:demo-function"
    _aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"
