"""A request as a function gets it from an HTTP API, and its answer as a client does: payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.aws.signatures import Identity, Signed

TEXT_TYPES = re.compile(
    r"text/.*|application/(json|javascript|xml|x-www-form-urlencoded|.*\+json|.*\+xml)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """The route of an API that a request goes to, with what its path says of the route's variables."""

    key: str
    variables: Mapping[str, str]
    target: str
    authorization: str


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a client is told."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def message(cls, status: int, text: str) -> HttpAnswer:
        """As API Gateway itself answers."""
        return cls(status, {"content-type": "application/json"}, json.dumps({"message": text}).encode())


def best_match(routes: Iterable[Any], method: str, path: str) -> RouteMatch | None:
    """The most specific of moto's routes that fits; greedy and default routes are not emulated."""
    found: list[tuple[int, RouteMatch]] = []
    for route in routes:
        wanted_method, _, pattern = route.route_key.partition(" ")
        variables = _variables(pattern, path)
        if wanted_method in (method, "ANY") and variables is not None:
            match = RouteMatch(route.route_key, variables, route.target, route.authorization_type or "NONE")
            found.append((len(variables), match))
    return min(found, key=lambda each: each[0])[1] if found else None


def _variables(pattern: str, path: str) -> dict[str, str] | None:
    """The path's values of the pattern's variables; None when it doesn't fit."""
    wanted, given = pattern.strip("/").split("/"), path.strip("/").split("/")
    if len(wanted) != len(given) or not pattern.startswith("/"):
        return None
    variables: dict[str, str] = {}
    for part, value in zip(wanted, given, strict=True):
        if part.startswith("{") and value:
            variables[part.strip("{}")] = unquote(value)
        elif part != value:
            return None
    return variables


def event_of(request: Signed, match: RouteMatch, identity: Identity | None, *, api_id: str, account: str) -> Any:
    """The function's event."""
    parts = urlsplit(request.url)
    now = datetime.now(UTC)
    is_text = bool(TEXT_TYPES.fullmatch(request.headers.get("content-type", "").partition(";")[0].strip()))
    body = request.body.decode(errors="replace") if is_text else base64.b64encode(request.body).decode()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.key,
        "rawPath": unquote(parts.path),
        "rawQueryString": parts.query,
        "headers": dict(request.headers),
        "requestContext": {
            "accountId": account,
            "apiId": api_id,
            "authorizer": {"iam": _iam(identity, account)} if identity else {},
            "domainName": parts.netloc,
            "domainPrefix": api_id,
            "http": {
                "method": request.method,
                "path": unquote(parts.path),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex,
            "routeKey": match.key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": bool(request.body) and not is_text,
    }
    if match.variables:
        event["pathParameters"] = dict(match.variables)
    if parts.query:
        event["queryStringParameters"] = _joined(parse_qsl(parts.query, keep_blank_values=True))
    if request.body:
        event["body"] = body
    return event


def _iam(identity: Identity, account: str) -> dict[str, Any]:
    return {
        "accessKey": identity.access_key,
        "accountId": account,
        "callerId": identity.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": identity.arn,
        "userId": identity.user_id,
    }


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Values of one name, joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def answer_of(payload: bytes) -> HttpAnswer:
    """A function's return value as an answer; what has no status is the body of a success."""
    value = json.loads(payload or b"null")
    if not isinstance(value, dict) or "statusCode" not in value:
        return HttpAnswer(200, {"content-type": "application/json"}, payload)
    text = str(value.get("body") or "")
    body = base64.b64decode(text) if value.get("isBase64Encoded") else text.encode()
    headers = {str(name).lower(): str(given) for name, given in (value.get("headers") or {}).items()}
    return HttpAnswer(int(value["statusCode"]), {"content-type": "text/plain;charset=UTF-8"} | headers, body)
