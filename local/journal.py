"""Remembers which function was called with which event, so that a chain of causes can be told afterwards."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.aws.arns import function_name
from local.aws.invocations import Outcome

KEPT = 2000


class Functions(Protocol):
    """What runs functions."""

    def invoke(self, function: str, payload: bytes) -> Outcome: ...

    def invoke_async(self, function: str, payload: bytes) -> str: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One event that was handed to a function; `causes` are ids of the messages or events in it."""

    at: float
    function: str
    source: str
    causes: tuple[str, ...]
    about: str = ""
    """The alarm and its new state, of an alarm's message."""
    request_id: str = ""
    """Of an asynchronous invocation; a queue's batch gets its id where it runs."""
    error: str = ""


class Journal:
    """Stands before the functions and notes every event that passes. Thread-safe."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def invoke(self, function: str, payload: bytes) -> Outcome:
        """Run a function and wait for its outcome, noting the event."""
        outcome = self._functions.invoke(function, payload)
        self._note(function, payload, error=outcome.error)
        return outcome

    def invoke_async(self, function: str, payload: bytes) -> str:
        """Hand an event to a function, noting it; returns the request's id."""
        request_id = self._functions.invoke_async(function, payload)
        self._note(function, payload, request_id=request_id)
        return request_id

    def calls(self) -> tuple[Call, ...]:
        """The last calls, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def _note(self, function: str, payload: bytes, *, request_id: str = "", error: str = "") -> None:
        source, causes, about = origin(payload)
        call = Call(time.time(), function_name(function), source, causes, about, request_id, error)
        with self._lock:
            self._calls.append(call)


Origin = tuple[str, tuple[str, ...], str]


def origin(payload: bytes) -> Origin:
    """Where an event came from (`sns`, `sqs`, `events` or `direct`), the ids of what it carries, and its alarm."""
    event = json.loads(payload or b"null")
    if not isinstance(event, dict):
        return "direct", (), ""
    records = event.get("Records")
    if isinstance(records, list) and records:
        return _of_messages(records) if "Sns" in records[0] else _of_queue(records)
    if "detail-type" in event:
        return "events", (str(event.get("id", "")),), ""
    return "direct", (), ""


def _of_messages(records: list[Mapping[str, Any]]) -> Origin:
    alarms = [_object(str(record["Sns"].get("Message", ""))) for record in records]
    about = "; ".join(
        f"{alarm['AlarmName']} {alarm.get('NewStateValue', '')}" for alarm in alarms if "AlarmName" in alarm
    )
    return "sns", tuple(str(record["Sns"].get("MessageId", "")) for record in records), about


def _of_queue(records: list[Mapping[str, Any]]) -> Origin:
    return "sqs", tuple(str(_object(str(record.get("body", ""))).get("id", "")) for record in records), ""


def _object(text: str) -> Mapping[str, Any]:
    """The JSON object in the text; empty when there is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
