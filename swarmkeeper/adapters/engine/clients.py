"""One Docker client a node, kept while it is of use."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from docker import APIClient
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.utils import version_lt
from requests.exceptions import SSLError

from swarmkeeper.adapters.engine.errors import translated
from swarmkeeper.adapters.engine.identity import ClientIdentity, tls_context
from swarmkeeper.adapters.engine.timeouts import QUICK_S, Timeouts
from swarmkeeper.adapters.engine.transport import EngineTransport
from swarmkeeper.domain.model import Node
from swarmkeeper.errors import Unavailable, Unreachable

ENGINE_PORT = 2376
NODES_KEPT = 400
"""A Lambda has 1,024 file descriptors; a kept node holds one or two."""
OLDEST_API_VERSION = "1.41"
"""That of engine 20.10. Newer engines answer to it only up to 28, so the version is asked for, once a node."""


class EngineClients:
    """The clients of all nodes; thread-safe.

    `identity` is called when the first engine is called, and again after a TLS error: certificates rotate while
    an environment is warm. `observe` is told each call's operation and seconds.
    """

    def __init__(
        self,
        identity: Callable[[], ClientIdentity],
        *,
        timeouts: Timeouts | None = None,
        observe: Callable[[str, float], None] | None = None,
    ) -> None:
        self._identity = identity
        self._timeouts = timeouts or Timeouts()
        self._observe = observe
        self._lock = Lock()
        self._transport: EngineTransport | None = None
        self._clients: OrderedDict[tuple[str, str], APIClient] = OrderedDict()

    @contextmanager
    def calling(self, node: Node, operation: str) -> Iterator[APIClient]:
        """The node's client, for one operation, which has a time limit; errors inside are translated.

        Raises Unavailable; Unreachable when the engine can't have begun the operation.
        """
        started = time.perf_counter()
        try:
            with self._timeouts.over(operation):
                client = self._reached(node, operation)
                with translated(node.id, operation):
                    yield client
        except Unavailable as error:
            if isinstance(error.__cause__, SSLError):
                self.close()
            raise
        finally:
            if self._observe:
                self._observe(operation, time.perf_counter() - started)

    def close(self) -> None:
        """Close all connections and forget the identity; the next call begins anew."""
        with self._lock:
            transport, self._transport = self._transport, None
            self._clients.clear()
        if transport:
            transport.close()

    def _reached(self, node: Node, operation: str) -> APIClient:
        """The node's client. Whatever fails here, the operation itself has not been asked for."""
        try:
            with translated(node.id, operation):
                return self._client(node)
        except Unavailable as error:
            raise Unreachable(str(error)) from error.__cause__

    def _client(self, node: Node) -> APIClient:
        if not node.address:
            raise Unavailable(f"{node.id} has no address yet")
        key = (node.id, node.address)  # an address comes back with another instance
        with self._lock:
            if client := self._clients.get(key):
                self._clients.move_to_end(key)
                return client
            transport = self._transport = self._transport or self._new_transport()
        client = self._connected(transport, node.address)
        with self._lock:
            if transport is self._transport:
                self._clients[key] = client
            while len(self._clients) > NODES_KEPT:
                self._clients.popitem(last=False)  # its connections are closed by the transport's own limit
        return client

    def _new_transport(self) -> EngineTransport:
        tls = tls_context(self._identity())
        return EngineTransport(tls, connect_timeout_s=self._timeouts.connect_s, nodes=NODES_KEPT)

    def _connected(self, transport: EngineTransport, address: str) -> APIClient:
        """A client that speaks the newest API version that both the engine and the SDK know."""
        asking = self._plain_client(transport, address, OLDEST_API_VERSION)
        offered = str(asking.version(api_version=False)["ApiVersion"])
        spoken = offered if version_lt(offered, DEFAULT_DOCKER_API_VERSION) else DEFAULT_DOCKER_API_VERSION
        return self._plain_client(transport, address, spoken)

    def _plain_client(self, transport: EngineTransport, address: str, version: str) -> APIClient:
        base_url = f"https://{address}:{ENGINE_PORT}"
        client = APIClient(base_url, version=version, timeout=round(QUICK_S))  # operations have limits of their own
        client.mount("https://", transport)
        return client
