"""SNS to Lambda: a message published to a topic becomes an asynchronous invocation of each subscribed function."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from local.aws.dead_letters import send
from local.aws.permissions import NotAllowedError, check_may_invoke
from local.aws.server import AwsServer

logger = logging.getLogger(__name__)

SERVICE = "sns.amazonaws.com"


class Functions(Protocol):
    """What invokes functions without waiting."""

    def invoke_async(self, function: str, payload: bytes) -> str:
        """Take an event for a function and return the request's id. Raises LookupError: no such function."""


class TopicDelivery:
    """Delivers to functions; moto delivers to queues as before. Its lag, duplicates and retries are Lambda's."""

    def __init__(self, server: AwsServer, functions: Functions) -> None:
        self._server = server
        self._functions = functions
        self._sns = server.backend("sns")
        self._publish: Callable[..., str] = self._sns.publish
        self._sns.publish = self._answer_publish
        # moto would run the function in a container, with a message that names no topic and no id.
        server.backend("lambda").send_sns_message = _leave_to_us

    def _answer_publish(self, *args: Any, **kwargs: Any) -> str:
        """Answer Publish and each entry of PublishBatch: moto checks and keeps the message first."""
        message_id = self._publish(*args, **kwargs)
        names = ("message", "arn", "phone_number", "subject", "message_attributes", "group_id", "deduplication_id")
        given = dict(zip(names, args, strict=False)) | kwargs
        if given.get("arn"):
            self._deliver(message_id, given)
        return message_id

    def _deliver(self, message_id: str, given: Mapping[str, Any]) -> None:
        subscriptions, _ = self._sns.list_subscriptions_by_topic(given["arn"])
        for subscription in subscriptions:
            if subscription.protocol == "lambda" and _wanted(subscription, given):
                self._invoke(subscription, message_id, given)

    def _invoke(self, subscription: Any, message_id: str, given: Mapping[str, Any]) -> None:
        """Invoke one function; what SNS couldn't deliver goes to the subscription's dead letters, with a warning."""
        function = subscription.endpoint
        body = json.dumps(_event(subscription, message_id, given))
        try:
            check_may_invoke(self._server, function, SERVICE, given["arn"])
            self._functions.invoke_async(function, body.encode())
        except (NotAllowedError, LookupError) as error:
            logger.warning("message dropped: %s", error, extra={"topic": given["arn"]})
            redrive = json.loads(subscription.attributes.get("RedrivePolicy") or "{}")
            send(self._server, str(redrive.get("deadLetterTargetArn", "")), body)


def _wanted(subscription: Any, given: Mapping[str, Any]) -> bool:
    matcher = subscription._filter_policy_matcher  # moto offers no other way to it
    return matcher is None or bool(matcher.matches(given.get("message_attributes"), given["message"]))


def _event(subscription: Any, message_id: str, given: Mapping[str, Any]) -> dict[str, object]:
    """The event that a function gets: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html."""
    attributes = given.get("message_attributes") or {}
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": given["arn"],
        "Subject": given.get("subject"),
        "Message": _message(given),
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "SignatureVersion": "1",
        "Signature": "local",
        "SigningCertUrl": "https://sns.invalid/local.pem",
        "UnsubscribeUrl": "https://sns.invalid/unsubscribe",
        "MessageAttributes": {
            name: {"Type": value["Type"], "Value": str(value["Value"])} for name, value in attributes.items()
        },
    }
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription.arn,
                "Sns": notification,
            }
        ]
    }


def _message(given: Mapping[str, Any]) -> str:
    if given.get("message_structure") != "json":
        return str(given["message"])
    by_protocol = json.loads(given["message"])
    return str(by_protocol.get("lambda") or by_protocol["default"])


def _leave_to_us(*args: object, **kwargs: object) -> None:
    del args, kwargs
