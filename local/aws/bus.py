"""EventBridge's default bus: events go to the targets of the rules that match, late, sometimes twice or in disorder."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from botocore.exceptions import ClientError
from moto.events.exceptions import InvalidEventPatternException, ValidationException

from local.aws import patterns
from local.aws.arns import Arn
from local.aws.dead_letters import send
from local.aws.disturbance import UNDISTURBED, Dice, Disturbance
from local.aws.permissions import NotAllowedError, check_may_invoke, check_may_send
from local.aws.server import AwsServer
from local.aws.targets import Target
from local.aws.timers import Timers

__all__ = ["UNDISTURBED", "Bus", "Disturbance", "Event", "Passed"]

logger = logging.getLogger(__name__)

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
MAX_ENTRIES = 10
MAX_REQUEST_BYTES = 256 * 1024
HISTORY = 1000
SERVICE = "events.amazonaws.com"


class Functions(Protocol):
    """What invokes functions without waiting."""

    def invoke_async(self, function: str, payload: bytes) -> str:
        """Take an event for a function and return the request's id. Raises LookupError: no such function."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as it came onto the bus."""

    id: str
    source: str
    detail_type: str
    detail: Mapping[str, object]
    resources: tuple[str, ...]
    time: str

    def envelope(self, account: str, region: str) -> dict[str, object]:
        """The event as rules match it and targets get it."""
        return {
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": account,
            "time": self.time,
            "region": region,
            "resources": list(self.resources),
            "detail": dict(self.detail),
        }


@dataclass(frozen=True, slots=True)
class Passed:
    """An event that passed, with the names of the rules that matched it."""

    event: Event
    rules: tuple[str, ...]
    at: float
    """Seconds since the epoch; the event's own time has whole seconds only, as on AWS."""


class Bus:
    """Carries events from `emit` and from PutEvents to queues and functions until `stop`."""

    def __init__(self, server: AwsServer, functions: Functions, disturbance: Disturbance | None = None) -> None:
        self._server = server
        self._functions = functions
        self.dice = Dice(disturbance or Disturbance())
        self._timers = Timers("event-bus")
        self._history: deque[Passed] = deque(maxlen=HISTORY)
        self._history_lock = threading.Lock()
        backend = server.backend("events")
        # moto delivers in the request, and fails it when a target is a function.
        backend.put_events = self._put_events
        backend.put_rule = partial(_put_checked_rule, backend.put_rule)

    def emit(
        self, *, source: str, detail_type: str, detail: Mapping[str, object], resources: Sequence[str] = ()
    ) -> str:
        """Put an event of an AWS service on the bus and return its id; doesn't wait for any delivery."""
        event = Event(
            id=str(uuid.uuid4()),
            source=source,
            detail_type=detail_type,
            detail=json.loads(json.dumps(detail)),  # a copy that later changes can't reach
            resources=tuple(resources),
            time=_iso(datetime.now(UTC)),
        )
        self._carry(event)
        return event.id

    def history(self) -> tuple[Passed, ...]:
        """The last events, oldest first, whether or not a rule matched."""
        with self._history_lock:
            return tuple(self._history)

    def stop(self) -> None:
        """Drop what isn't delivered yet."""
        self._timers.stop()

    def deliver(self, rule_arn: str, described_targets: Sequence[Mapping[str, object]], event: Event) -> None:
        """Bring an event to the targets of one rule, each with its own lag."""
        envelope = event.envelope(self._server.account, self._server.region)
        for described in described_targets:
            target = Target.from_api(described)
            body = target.input(envelope, rule_arn)
            for lag_s in self.dice.lags_s():
                self._timers.after(lag_s, partial(self._hand_over, rule_arn, target, body))

    def _carry(self, event: Event) -> None:
        envelope = event.envelope(self._server.account, self._server.region)
        matched = [rule for rule in self._rules() if patterns.matches(rule.event_pattern.dump(), envelope)]
        with self._history_lock:
            self._history.append(Passed(event, tuple(str(rule.name) for rule in matched), time.time()))
        for rule in matched:
            self.deliver(str(rule.arn), list(rule.targets), event)

    def _rules(self) -> list[Any]:
        """moto's enabled rules of the default bus that have a pattern."""
        rules = list(self._server.backend("events").event_buses["default"].rules.values())
        return [rule for rule in rules if rule.state == "ENABLED" and rule.event_pattern.dump()]

    def _hand_over(self, rule_arn: str, target: Target, body: str) -> None:
        """Call the target; what AWS couldn't deliver goes to the target's dead letters, with a warning."""
        try:
            if target.service == "sqs":
                self._send(rule_arn, target, body)
            elif target.service == "lambda":
                check_may_invoke(self._server, target.arn, SERVICE, rule_arn)
                self._functions.invoke_async(target.arn, body.encode())
            else:
                logger.warning("event dropped: no target of this kind here", extra={"target": target.arn})
        except (NotAllowedError, LookupError, ClientError) as error:
            logger.warning("event dropped: %s", error, extra={"rule": rule_arn, "target": target.arn})
            facts = {"RULE_ARN": rule_arn, "TARGET_ARN": target.arn, "ERROR_MESSAGE": str(error)[:1024]}
            send(self._server, target.dead_letter_arn, body, facts)

    def _send(self, rule_arn: str, target: Target, body: str) -> None:
        url = f"{self._server.endpoint_url}/{self._server.account}/{Arn.parse(target.arn).resource}"
        check_may_send(self._server, url, SERVICE, rule_arn)
        group = {"MessageGroupId": target.message_group} if target.message_group else {}
        self._server.client("sqs").send_message(QueueUrl=url, MessageBody=body, **group)

    def _put_events(self, entries: list[dict[str, Any]]) -> list[dict[str, str]]:
        """Answer PutEvents: one result an entry; the whole request is refused when it is too long or too big."""
        if len(entries) > MAX_ENTRIES:
            raise ValidationException(f"Member must have length less than or equal to {MAX_ENTRIES}")
        if sum(map(_entry_bytes, entries)) > MAX_REQUEST_BYTES:
            raise ValidationException("Total size of the entries in the request is over the limit.")
        return [self._put_event(entry) for entry in entries]

    def _put_event(self, entry: Mapping[str, Any]) -> dict[str, str]:
        refusal = _refusal(entry)
        if refusal is not None:
            code, message = refusal
            return {"ErrorCode": code, "ErrorMessage": message}
        event = Event(
            id=str(uuid.uuid4()),
            source=str(entry["Source"]),
            detail_type=str(entry["DetailType"]),
            detail=json.loads(entry["Detail"]),
            resources=tuple(entry.get("Resources") or ()),
            time=_iso(datetime.fromtimestamp(float(entry["Time"]), UTC) if entry.get("Time") else datetime.now(UTC)),
        )
        self._carry(event)
        return {"EventId": event.id}


def _put_checked_rule(put_rule: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Answer PutRule: moto takes patterns that AWS refuses."""
    if kwargs.get("event_pattern"):
        try:
            patterns.check(kwargs["event_pattern"])
        except patterns.InvalidPatternError as error:
            raise InvalidEventPatternException(str(error)) from error
    return put_rule(*args, **kwargs)


def _refusal(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why an entry is refused, as an error code and a message; None when it is good."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    if str(entry["Source"]).startswith("aws."):
        return "NotAuthorizedForSourceException", "Not authorized for the source."
    if str(entry.get("EventBusName") or "default").rpartition("/")[2] != "default":
        return "ResourceNotFoundException", "The local cloud has the default event bus only."
    try:
        detail = json.loads(entry["Detail"])
    except json.JSONDecodeError:
        detail = None
    return None if isinstance(detail, dict) else ("MalformedDetail", "Detail is malformed.")


def _entry_bytes(entry: Mapping[str, Any]) -> int:
    """An entry's size as AWS counts it."""
    texts = [entry.get("Source") or "", entry.get("DetailType") or "", entry.get("Detail") or ""]
    texts += entry.get("Resources") or []
    return sum(len(str(text).encode()) for text in texts) + (14 if entry.get("Time") else 0)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
