"""API Gateway's HTTP API on an address of this machine: routes, IAM, throttling and limits as the template says."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.aws.access_log import AccessLog
from local.aws.http_events import HttpAnswer, RouteMatch, answer_of, best_match, event_of
from local.aws.http_front import FunctionCalls, Functions, HttpFront, at_loopback
from local.aws.permissions import NotAllowedError
from local.aws.server import AwsServer
from local.aws.signatures import Identity, NotSignedError, Signed, verified
from local.aws.signers import identity_of
from local.aws.throttling import Bucket

logger = logging.getLogger(__name__)

SERVICE = "execute-api"
PRINCIPAL = "apigateway.amazonaws.com"
BODY_BYTES_MAX = 10 * 2**20
INTEGRATION_LIMIT_S = 30.0
ANSWER_BYTES_MAX = 6 * 2**20
"""What a function may answer."""
FORBIDDEN = HttpAnswer.message(403, "Forbidden")
FAILED = HttpAnswer.message(500, "Internal Server Error")


class HttpApiFront:
    """Serves the account's one HTTP API from construction until `stop`; its routes are read as they stand."""

    def __init__(
        self,
        server: AwsServer,
        functions: Functions,
        *,
        access_log: Path | None = None,
        limit_s: float = INTEGRATION_LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._calls = FunctionCalls(server, functions, PRINCIPAL, limit_s=limit_s)
        self._log = AccessLog(access_log)
        self._bucket = Bucket(clock)
        self._http = HttpFront(at_loopback(), self._answer, "http-api", body_limit=BODY_BYTES_MAX)
        self.url = self._http.url

    def stop(self) -> None:
        """Stop serving; may be called twice."""
        self._http.stop()

    def endpoint(self, api_id: str) -> str:
        """Where an API is reached. Raises ValueError for a second one: they would need addresses of their own."""
        if len(self._apis()) > 1:
            raise ValueError("only one HTTP API is emulated")
        return self.url

    def _answer(self, request: Signed, _sender: str) -> HttpAnswer:
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
            outcome = self._calls.call(function, source, json.dumps(event).encode())
        except TimeoutError:
            return HttpAnswer.message(503, "Service Unavailable")
        except NotAllowedError as error:
            logger.warning("the integration failed: %s", error)
            return FAILED
        if not outcome.succeeded or len(outcome.payload) > ANSWER_BYTES_MAX:
            return FAILED
        return answer_of(outcome.payload)

    def _apis(self) -> Mapping[str, Any]:
        apis: Mapping[str, Any] = self._server.backend("apigatewayv2").apis
        return apis
