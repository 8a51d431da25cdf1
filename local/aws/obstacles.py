"""What befalls the requests that functions make of AWS's APIs: held up, refused, or cut off from who asked."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CALLER_VARIABLE = "AWS_SDK_UA_APP_ID"
"""The SDK's own setting for telling applications apart in AWS's logs: here it names the execution environment."""
_CALLER = re.compile(r"\bapp/(\S+)")
_SCOPE = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Call:
    """One request that a function makes: of which service, and from which execution environment."""

    service: str
    caller: str
    speaks_json: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer in place of the service's."""

    status: int
    code: str
    message: str

    def answer(self, call: Call, start_response: StartResponse) -> list[bytes]:
        if call.speaks_json:
            body = json.dumps({"__type": self.code, "message": self.message}).encode()
            kind = "application/x-amz-json-1.1"
        else:
            error = f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message></Error>"
            body = f"<ErrorResponse>{error}</ErrorResponse>".encode()
            kind = "text/xml"
        line = f"{self.status} {HTTPStatus(self.status).phrase}"
        start_response(line, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]


class Obstacle(Protocol):
    """Stands in the way of functions' requests, each on a thread of its own."""

    def before(self, call: Call) -> Refused | None:
        """What to answer instead of carrying the request out; None carries it out. May take its time."""

    def after(self, call: Call) -> None:
        """The request has been carried out, and its answer not yet been sent."""


class Obstacles:
    """A WSGI application round AWS's; requests that come from no function pass untouched."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._standing: tuple[Obstacle, ...] = ()
        self._lock = threading.Lock()

    def watch(self, wrapped: Callable[[WSGIApplication], WSGIApplication]) -> None:
        """Have all requests that are carried out pass what is made of the application, from now on."""
        self._app = wrapped(self._app)

    def put_up(self, obstacle: Obstacle) -> None:
        with self._lock:
            self._standing = (*self._standing, obstacle)

    def take_away(self, obstacle: Obstacle) -> None:
        """Harmless when it doesn't stand."""
        with self._lock:
            self._standing = tuple(one for one in self._standing if one is not obstacle)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        standing = self._standing
        call = call_of(environ) if standing else None
        if call is None:
            return self._app(environ, start_response)
        for obstacle in standing:
            if refused := obstacle.before(call):
                return refused.answer(call, start_response)
        answer = list(self._app(environ, start_response))
        for obstacle in standing:
            obstacle.after(call)
        return answer


def call_of(environ: WSGIEnvironment) -> Call | None:
    """The request as one of a function; None when it comes from elsewhere."""
    caller = _CALLER.search(environ.get("HTTP_USER_AGENT", ""))
    if caller is None:
        return None
    service = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    speaks_json = "json" in environ.get("CONTENT_TYPE", "")
    return Call(service.group(1) if service else "", caller.group(1), speaks_json)
