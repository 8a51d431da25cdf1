"""HTTP requests as API Gateway's HTTP API hands them over (payload format 2.0), and answers as it takes them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from swarmkeeper.edge.calls import Token
from swarmkeeper.edge.problems import Problem
from swarmkeeper.edge.views import View
from swarmkeeper.errors import InvalidInput

BODY_BYTES_MAX = 256 * 1024
"""What is read of a request; a record may hold 400 KB."""
RETRY_AFTER_S = "2"

HttpAnswer = dict[str, Any]
M = TypeVar("M", bound=BaseModel)


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class IamIdentity(_Given):
    """The caller as API Gateway has verified it."""

    user_arn: str = Field(min_length=1)


class Authorizer(_Given):
    iam: IamIdentity | None = None


class RequestContext(_Given):
    authorizer: Authorizer | None = None


class Headers(_Given):
    """What is read of the headers; their names come in lower case."""

    idempotency_key: Token = Field(default="", alias="idempotency-key")


class HttpEvent(_Given):
    """One request. `route_key` is the route that matched, such as `GET /containers/{name}`."""

    route_key: str
    raw_path: str
    raw_query_string: str = ""
    headers: dict[str, str] = {}
    path_parameters: dict[str, str] | None = None
    request_context: RequestContext
    body: str | None = None
    is_base64_encoded: bool = False

    @property
    def caller(self) -> str | None:
        """The ARN of who signed the request; None for a route without IAM's authorizer."""
        authorizer = self.request_context.authorizer
        return authorizer.iam.user_arn if authorizer and authorizer.iam else None

    @property
    def name(self) -> str:
        """What the path names: a container, a node, a decision."""
        return (self.path_parameters or {}).get("name", "")

    def token(self) -> str:
        """The idempotency key, "" when there is none. Raises InvalidInput."""
        return _checked(Headers, self.headers).idempotency_key

    def query(self, model: type[M]) -> M:
        """The query's parameters; names that the model doesn't know are refused. Raises InvalidInput."""
        given = parse_qs(self.raw_query_string, keep_blank_values=True)
        lists = {name for name, field in model.model_fields.items() if isinstance(field.get_default(), tuple)}
        for name, values in given.items():
            if name not in lists and len(values) > 1:
                raise InvalidInput(name, "may be given once only")
        return _checked(model, {name: values if name in lists else values[0] for name, values in given.items()})

    def json_body(self) -> object:
        """The body. Raises InvalidInput when it is too large or no JSON."""
        raw = (self.body or "").encode()
        try:
            raw = base64.b64decode(raw, validate=True) if self.is_base64_encoded else raw
            if len(raw) > BODY_BYTES_MAX:
                raise InvalidInput("body", f"is larger than {BODY_BYTES_MAX} bytes")
            return json.loads(raw)
        except (ValueError, RecursionError, binascii.Error) as error:
            raise InvalidInput("body", "is not JSON") from error


def is_http(event: Mapping[str, object]) -> bool:
    """Whether a function was called by API Gateway."""
    return event.get("version") == "2.0" and "routeKey" in event


def http_event(event: object) -> HttpEvent:
    """Raises InvalidInput that names the field."""
    return _checked(HttpEvent, event)


def answer(status: int, view: View) -> HttpAnswer:
    return _text(status, view.model_dump_json(), "application/json")


def refusal(problem: Problem) -> HttpAnswer:
    made = _text(problem.status, problem.model_dump_json(exclude_none=True), "application/problem+json")
    if problem.status == 503:
        made["headers"]["retry-after"] = RETRY_AFTER_S
    return made


def document(text: str) -> HttpAnswer:
    """JSON that is ready as it is."""
    return _text(200, text, "application/json")


def plain(content: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    """Text of any kind: base64 grows by a third, while control characters in JSON text would grow sixfold."""
    return {
        "statusCode": 200,
        "headers": {"content-type": "text/plain; charset=utf-8", **headers},
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }


def _text(status: int, text: str, kind: str) -> HttpAnswer:
    return {"statusCode": int(status), "headers": {"content-type": kind}, "body": text, "isBase64Encoded": False}


def _checked(model: type[M], value: object) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(".".join(str(part) for part in first["loc"]) or "event", str(first["msg"])) from error
