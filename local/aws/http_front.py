"""HTTP that ends in a function: what API Gateway and load balancers have in common on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from local.aws.concurrency import ThrottledError
from local.aws.http_events import HttpAnswer
from local.aws.invocations import Outcome, failure
from local.aws.permissions import check_may_invoke
from local.aws.server import AwsServer
from local.aws.signatures import Signed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Answering = Callable[[Signed, str], HttpAnswer]
"""Answers a request from an address."""


class Functions(Protocol):
    """What runs functions."""

    def invoke(self, function: str, payload: bytes) -> Outcome: ...


class HttpFront:
    """Serves HTTP on a bound socket, which it owns, from construction until `stop`."""

    def __init__(self, bound: socket.socket, answering: Answering, name: str, *, body_limit: int) -> None:
        self._answering = answering
        self._body_limit = body_limit
        host, port = bound.getsockname()
        self.url = f"http://{host}:{port}"
        with bound:  # the server has it twice
            bound.listen()
            self._http = make_server(
                host, port, self._serve, threaded=True, request_handler=_QuietHandler, fd=bound.fileno()
            )
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, name=name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; may be called twice."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._answer(environ)
        headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, environ: WSGIEnvironment) -> HttpAnswer:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self._body_limit:
            return HttpAnswer.message(413, "Request Entity Too Large")
        body = environ["wsgi.input"].read(length) if length else b""
        return self._answering(_request(environ, body), str(environ["REMOTE_ADDR"]))


class FunctionCalls:
    """An AWS service's calls of functions, as far as their policies let it."""

    def __init__(self, server: AwsServer, functions: Functions, principal: str, *, limit_s: float) -> None:
        self._server = server
        self._functions = functions
        self._principal = principal
        self._limit_s = limit_s

    def call(self, function: str, source_arn: str, payload: bytes) -> Outcome:
        """The outcome, a failure where it is throttled or isn't there.

        Raises NotAllowedError; TimeoutError when it takes too long: the function then goes on alone.
        """
        check_may_invoke(self._server, function, self._principal, source_arn)
        outcomes: list[Outcome] = []
        thread = threading.Thread(
            target=lambda: outcomes.append(self._outcome(function, payload)), name="http-call", daemon=True
        )
        thread.start()
        thread.join(self._limit_s)
        if not outcomes:
            raise TimeoutError
        return outcomes[0]

    def _outcome(self, function: str, payload: bytes) -> Outcome:
        try:
            return self._functions.invoke(function, payload)
        except (LookupError, ThrottledError) as error:
            return failure(type(error).__name__, str(error))


def at_loopback() -> socket.socket:
    """A socket that this machine alone reaches, on a free port."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


def _request(environ: WSGIEnvironment, body: bytes) -> Signed:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = str(environ[name])
    url = f"http://{headers.get('host', '')}{environ.get('REQUEST_URI', '/')}"
    return Signed(str(environ["REQUEST_METHOD"]), url, headers, body)


class _QuietHandler(MotoRequestHandler):
    """Answers without a line on standard error for each request."""

    disable_nagle_algorithm = True
    wbufsize = -1

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size
