"""API Gateway's HTTP API on an address of this machine: routes, IAM, throttling and limits as the template says."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from local.aws.access_log import AccessLog
from local.aws.concurrency import ThrottledError
from local.aws.http_events import HttpAnswer, RouteMatch, answer_of, best_match, event_of
from local.aws.invocations import Outcome, failure
from local.aws.permissions import NotAllowedError, check_may_invoke
from local.aws.server import AwsServer
from local.aws.signatures import Identity, NotSignedError, Signed, verified
from local.aws.signers import identity_of
from local.aws.throttling import Bucket

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

SERVICE = "execute-api"
PRINCIPAL = "apigateway.amazonaws.com"
BODY_BYTES_MAX = 10 * 2**20
INTEGRATION_LIMIT_S = 30.0
ANSWER_BYTES_MAX = 6 * 2**20
"""What a function may answer."""
FORBIDDEN = HttpAnswer.message(403, "Forbidden")
FAILED = HttpAnswer.message(500, "Internal Server Error")


class Functions(Protocol):
    """What runs functions."""

    def invoke(self, function: str, payload: bytes) -> Outcome: ...


class HttpApiFront:
    """Serves the account's one HTTP API from construction until `stop`; its routes are read as they stand."""

    def __init__(
        self,
        server: AwsServer,
        functions: Functions,
        *,
        host: str = "127.0.0.1",
        access_log: Path | None = None,
        limit_s: float = INTEGRATION_LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._functions = functions
        self._log = AccessLog(access_log)
        self._limit_s = limit_s
        self._bucket = Bucket(clock)
        self._http = make_server(host, 0, self._serve, threaded=True, request_handler=_QuietHandler)
        self.url = f"http://{host}:{self._http.server_port}"
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, name="http-api", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; may be called twice."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def endpoint(self, api_id: str) -> str:
        """Where an API is reached. Raises ValueError for a second one: they would need addresses of their own."""
        if len(self._apis()) > 1:
            raise ValueError("only one HTTP API is emulated")
        return self.url

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._answer(environ)
        headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]

    def _answer(self, environ: WSGIEnvironment) -> HttpAnswer:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > BODY_BYTES_MAX:
            return HttpAnswer.message(413, "Request Entity Too Large")
        request = _request(environ, environ["wsgi.input"].read(length) if length else b"")
        for api in self._apis().values():
            stage = api.stages.get("$default")
            match = best_match(api.routes.values(), request.method, request.path)
            if stage is not None and match is not None:
                return self._logged(api, stage, match, request)
        return HttpAnswer.message(404, "Not Found")

    def _logged(self, api: Any, stage: Any, match: RouteMatch, request: Signed) -> HttpAnswer:
        identity, answer = self._routed(api, stage, match, request)
        caller = identity.arn if identity else "-"
        self._log.write(stage.access_log_settings, request, route=match.key, caller=caller, answer=answer)
        return answer

    def _routed(self, api: Any, stage: Any, match: RouteMatch, request: Signed) -> tuple[Identity | None, HttpAnswer]:
        if not self._bucket.take(stage.default_route_settings or {}):
            return None, HttpAnswer.message(429, "Too Many Requests")
        identity = None
        if match.authorization != "NONE":
            try:
                identity = self._caller(match, request)
            except NotSignedError as error:
                logger.info("request refused: %s", error)
                return None, FORBIDDEN
        return identity, self._invoked(api, match, request, identity)

    def _caller(self, match: RouteMatch, request: Signed) -> Identity:
        if match.authorization != "AWS_IAM":
            raise NotSignedError(f"authorization of type {match.authorization} is not emulated")
        region = self._server.region
        return verified(
            request,
            service=SERVICE,
            region=region,
            identity_of=lambda key: identity_of(self._server, key),
            now=datetime.now(UTC),
        )

    def _invoked(self, api: Any, match: RouteMatch, request: Signed, identity: Identity | None) -> HttpAnswer:
        integration = api.integrations[match.target.removeprefix("integrations/")]
        function = str(integration.integration_uri)
        method, _, pattern = match.key.partition(" ")
        source = (
            f"arn:aws:execute-api:{self._server.region}:{self._server.account}:{api.api_id}/$default/{method}{pattern}"
        )
        event = event_of(request, match, identity, api_id=api.api_id, account=self._server.account)
        try:
            check_may_invoke(self._server, function, PRINCIPAL, source)
            outcome = self._within_limit(function, json.dumps(event).encode())
        except TimeoutError:
            return HttpAnswer.message(503, "Service Unavailable")
        except NotAllowedError as error:
            logger.warning("the integration failed: %s", error)
            return FAILED
        if not outcome.succeeded or len(outcome.payload) > ANSWER_BYTES_MAX:
            return FAILED
        return answer_of(outcome.payload)

    def _within_limit(self, function: str, payload: bytes) -> Outcome:
        """The outcome. Raises TimeoutError when it takes too long: the function then goes on alone."""
        outcomes: list[Outcome] = []
        thread = threading.Thread(
            target=lambda: outcomes.append(self._outcome(function, payload)), name="http-api-call", daemon=True
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

    def _apis(self) -> Mapping[str, Any]:
        apis: Mapping[str, Any] = self._server.backend("apigatewayv2").apis
        return apis


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
