"""What lies in a dead-letter queue: which event it was, why it lies there, and whether it may be sent again.

AWS puts the same event there in several wrappings:
- Lambda, whose retries are used up: the event as `requestPayload`, beside what the function answered;
- EventBridge, which could not deliver: the event itself, with the reason as attributes of the message;
- SNS, which could not deliver: the notification, or the event that the function would have got;
- SQS, from a queue whose message was received too often: the message itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from swarmkeeper.edge.alarms import is_alarm_action
from swarmkeeper.edge.events import SCHEDULED


class Todo(StrEnum):
    """What becomes of a dead letter."""

    SEND = "send"
    DROP = "drop"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`event` is what the function was to get; `why` says what failed, as far as AWS tells it."""

    todo: Todo
    what: str
    why: str
    event: Mapping[str, Any]


def dead_letter(body: str, attributes: Mapping[str, str]) -> DeadLetter:
    """The letter of a message with this body; `attributes` are its own and the queue's, by name.

    What isn't an event is left: a call such as `remove`, sent days later, could meet another container of that name.
    """
    try:
        found = json.loads(body)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return DeadLetter(Todo.LEAVE, "not an event", "its body is no JSON object", {})
    if isinstance(found.get("requestPayload"), dict):
        return _sorted(found["requestPayload"], _failure(found))
    if found.get("Type") == "Notification" and "TopicArn" in found:
        return _sorted(_as_function_gets_it(found), _undelivered(attributes))
    return _sorted(found, _undelivered(attributes))


def _sorted(event: Mapping[str, Any], why: str) -> DeadLetter:
    if event.get("detail-type") == SCHEDULED:
        return DeadLetter(Todo.DROP, SCHEDULED, why, event)
    if "detail-type" in event:
        return DeadLetter(Todo.SEND, str(event["detail-type"]), why, event)
    if isinstance(event.get("Records"), list):
        return DeadLetter(Todo.SEND, "Notification", why, event)
    if is_alarm_action(event):
        return DeadLetter(Todo.SEND, "Alarm action", why, event)
    return DeadLetter(Todo.LEAVE, "not an event", why, event)


def _failure(wrapped: Mapping[str, Any]) -> str:
    """What the function answered last, else the condition that Lambda names: no attempt was answered."""
    answered = wrapped.get("responsePayload")
    if isinstance(answered, dict) and "errorType" in answered:
        return f"{answered['errorType']}: {answered.get('errorMessage', '')}"
    if isinstance(answered, dict) and "errorMessage" in answered:
        return str(answered["errorMessage"])
    context = wrapped.get("requestContext")
    return str(context.get("condition", "not told")) if isinstance(context, dict) else "not told"


def _undelivered(attributes: Mapping[str, str]) -> str:
    """Why a service could not deliver, or that a queue's function failed too often."""
    told = [attributes[name] for name in ("ERROR_CODE", "ERROR_MESSAGE") if attributes.get(name)]
    if told:
        return ": ".join(told)
    source = attributes.get("DeadLetterQueueSourceArn")
    return f"received too often from {source.rpartition(':')[2]}" if source else "not told"


def _as_function_gets_it(notification: Mapping[str, Any]) -> dict[str, Any]:
    record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "", "Sns": dict(notification)}
    return {"Records": [record]}
