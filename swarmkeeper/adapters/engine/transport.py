"""HTTP to engines: one pool of kept connections a node, one TLS context for all, time limits by operation."""

from __future__ import annotations

import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from swarmkeeper.adapters.engine.errors import SentBefore
from swarmkeeper.adapters.engine.timeouts import QUICK_S, time_left_s

CONNECTIONS_A_NODE = 4


class EngineTransport(HTTPAdapter):
    """A requests adapter that always uses our own TLS context.

    Requests itself would prefer REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE from the environment to the authority that
    a session was given, and would read certificate files for every connection. A proxy from the environment
    (HTTPS_PROXY) is used as usual: TLS goes through it to the engine.
    """

    def __init__(self, tls: ssl.SSLContext, *, connect_timeout_s: float, nodes: int) -> None:
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        super().__init__(pool_connections=nodes, pool_maxsize=CONNECTIONS_A_NODE)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """The pool of the request's node, with our TLS context instead of what `verify` and `cert` say."""
        host, _ = super().build_connection_pool_key_attributes(request, True)
        return host, {"ssl_context": self._tls, "cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the connection as its TLS context says: requests would add the public authorities to it."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send the request; the running operation's time bounds it, `timeout` is not looked at.

        A kept connection may have died unnoticed while the Lambda was frozen, so a request whose connection
        breaks is sent once more. All calls that we make may be repeated. Raises SentBefore when it can't be.
        """
        try:
            return super().send(request, stream, self._limits(), verify, cert, proxies)
        except requests.ConnectionError as error:
            if not _broke(error):
                raise
        try:
            return super().send(request, stream, self._limits(), verify, cert, proxies)
        except requests.ConnectionError as error:
            raise SentBefore(error) from error

    def _limits(self) -> tuple[float, float]:
        """How long connecting may take, and the wait for the answer."""
        left_s = time_left_s(otherwise=QUICK_S)
        return min(self._connect_timeout_s, left_s), left_s


def _broke(error: BaseException | None) -> bool:
    """Whether a connection that had been made broke; a proxy's client wraps that in further errors."""
    while error is not None:
        if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
            return True
        error = error.__cause__ or error.__context__
    return False
