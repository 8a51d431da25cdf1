"""Application Load Balancers whose target is a function, served on this machine; those of instances are not.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

import base64
import json
import logging
import re
import socket
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from local.aws.http_events import HttpAnswer
from local.aws.http_front import FunctionCalls, Functions, HttpFront
from local.aws.permissions import NotAllowedError
from local.aws.server import AwsServer
from local.aws.signatures import Signed

logger = logging.getLogger(__name__)

PRINCIPAL = "elasticloadbalancing.amazonaws.com"
BYTES_MAX = 2**20
"""Of a request's body, and of a function's answer."""
IDLE_LIMIT_S = 60.0
TEXT_TYPES = re.compile(r"text/.*|application/(json|javascript|xml)", re.IGNORECASE)
OF_A_CONNECTION = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class FunctionListener:
    """A listener that hands requests to a function, and the name under which its balancer is found."""

    name: str
    port: int
    target_group: str
    """Its ARN."""
    function: str
    """The ARN of what it calls, with the alias if it names one."""


def function_listeners(server: AwsServer) -> Iterator[FunctionListener]:
    """Those of the account whose default action forwards to a function."""
    client = server.client("elbv2")
    targets = {
        group["TargetGroupArn"]: _targets(client, group["TargetGroupArn"])
        for group in client.describe_target_groups()["TargetGroups"]
        if group["TargetType"] == "lambda"
    }
    for balancer in client.describe_load_balancers()["LoadBalancers"]:
        for listener in client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            for action in listener["DefaultActions"]:
                group = action.get("TargetGroupArn", "")
                for function in targets.get(group, ()):
                    yield FunctionListener(balancer["DNSName"], int(listener["Port"]), group, function)


def _targets(client: Any, group: str) -> tuple[str, ...]:
    described = client.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return tuple(each["Target"]["Id"] for each in described)


class BalancerFront:
    """Serves one listener on a bound socket, which it owns, from construction until `stop`."""

    def __init__(
        self, server: AwsServer, functions: Functions, listener: FunctionListener, bound: socket.socket
    ) -> None:
        self._listener = listener
        self._calls = FunctionCalls(server, functions, PRINCIPAL, limit_s=IDLE_LIMIT_S)
        self._http = HttpFront(bound, self._answer, "load-balancer", body_limit=BYTES_MAX)
        self.url = self._http.url

    def stop(self) -> None:
        """Stop serving; may be called twice."""
        self._http.stop()

    def _answer(self, request: Signed, sender: str) -> HttpAnswer:
        event = json.dumps(event_of(request, sender, self._listener)).encode()
        try:
            outcome = self._calls.call(self._listener.function, self._listener.target_group, event)
            if outcome.succeeded and len(outcome.payload) <= BYTES_MAX:
                return answer_of(outcome.payload)
            problem = "the function failed, or its answer is too large"
        except (NotAllowedError, TimeoutError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        logger.warning("a load balancer's target gave no answer: %s", problem)
        return own_page(HTTPStatus.BAD_GATEWAY)


def event_of(request: Signed, sender: str, listener: FunctionListener) -> dict[str, Any]:
    """The function's event: path and query as they came, of headers and parameters that come twice the last."""
    parts = urlsplit(request.url)
    headers = {name: value for name, value in request.headers.items() if name not in OF_A_CONNECTION}
    before = headers.get("x-forwarded-for")
    is_text = "content-encoding" not in headers and bool(
        TEXT_TYPES.fullmatch(headers.get("content-type", "").partition(";")[0].strip())
    )
    is_base64 = bool(request.body) and not is_text
    return {
        "requestContext": {"elb": {"targetGroupArn": listener.target_group}},
        "httpMethod": request.method,
        "path": parts.path,
        "queryStringParameters": dict(each.partition("=")[::2] for each in parts.query.split("&") if each),
        "headers": {
            **headers,
            "x-amzn-trace-id": f"Root=1-{uuid.uuid4().hex[:8]}-{uuid.uuid4().hex[:24]}",
            "x-forwarded-for": f"{before}, {sender}" if before else sender,
            "x-forwarded-port": str(listener.port),
            "x-forwarded-proto": "http",
        },
        "body": base64.b64encode(request.body).decode() if is_base64 else request.body.decode(errors="replace"),
        "isBase64Encoded": is_base64,
    }


def answer_of(payload: bytes) -> HttpAnswer:
    """What a function returns as an answer. Raises ValueError where it hasn't the shape that a balancer takes."""
    value = json.loads(payload or b"null")
    if not isinstance(value, dict) or type(value.get("statusCode")) is not int:
        raise ValueError("the answer has no number as its statusCode")
    told = {"headers": {}, "body": ""} | {name: each for name, each in value.items() if each is not None}
    headers, text = told["headers"], told["body"]
    if not isinstance(headers, Mapping) or not all(isinstance(each, str) for each in (*headers.values(), text)):
        raise ValueError("the answer's headers and body are not texts")
    body = base64.b64decode(text, validate=True) if told.get("isBase64Encoded") else text.encode()
    return HttpAnswer(HTTPStatus(told["statusCode"]), {name.lower(): each for name, each in headers.items()}, body)


def own_page(status: HTTPStatus) -> HttpAnswer:
    """What a balancer says itself."""
    title = f"{status.value} {status.phrase}"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    return HttpAnswer(status, {"content-type": "text/html"}, f"{page}</body>\r\n</html>\r\n".encode())
