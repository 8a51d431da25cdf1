"""The way to simulated engines: an HTTP proxy on loopback that ends TLS itself.

Simulated instances have addresses that exist nowhere. A client that is given HTTPS_PROXY asks this proxy to
CONNECT to `<private address>:2376` and then speaks TLS, as it thinks, with that engine: certificates, names and
URLs are those of production. One event loop in one thread serves all engines.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from threading import Thread
from typing import Protocol

from local.machines.simulated_http import BadMessage, HttpRequest, HttpResponse, read_request

HOST = "127.0.0.1"
HANDSHAKE_LIMIT_S = 10.0
CLOSE_LIMIT_S = 10.0
BACKLOG = 1024
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
BROKEN_CONNECTIONS = (OSError, EOFError, BadMessage)
"""A peer that went away, refused our certificate or showed none (ssl.SSLError is an OSError), or spoke nonsense."""


class Endpoint(Protocol):
    """A server behind the proxy."""

    @property
    def tls(self) -> ssl.SSLContext: ...

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer one request, on the proxy's event loop; an OSError breaks the connection off."""


class Gateway:
    """A running proxy; `find` tells, on its thread, which endpoint listens on an address and port."""

    def __init__(self, find: Callable[[str, int], Endpoint | None]) -> None:
        self._find = find
        self._connections: dict[asyncio.Task[None], Endpoint | None] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="engine-gateway", daemon=True)
        self._thread.start()
        starting = asyncio.start_server(self._serve, HOST, 0, backlog=BACKLOG)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(CLOSE_LIMIT_S)

    @property
    def url(self) -> str:
        """What HTTPS_PROXY is set to."""
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def drop(self, endpoint: Endpoint) -> None:
        """Break off the endpoint's connections, as when its machine has ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel, endpoint)

    def close(self) -> None:
        """Close all connections and end the thread; safe to repeat."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result(CLOSE_LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_LIMIT_S)
        self._loop.close()

    def _cancel(self, endpoint: Endpoint) -> None:
        for connection in [task for task, served in self._connections.items() if served is endpoint]:
            connection.cancel()

    async def _shut_down(self) -> None:
        self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its CONNECT to its end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine that runs has a task
        self._connections[task] = None
        try:
            # asyncio's streams log a connection's task that was cancelled as a failure of theirs; it is ours to end.
            with contextlib.suppress(*BROKEN_CONNECTIONS, asyncio.CancelledError):
                await self._tunnel(task, reader, writer)
        finally:
            del self._connections[task]
            # The client has read its last answer or is gone; a polite TLS ending could wait for it in vain.
            writer.transport.abort()

    async def _tunnel(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        endpoint = self._asked_for(await read_request(reader))
        if endpoint is None:
            writer.write(BAD_GATEWAY)
            writer.write_eof()
            await reader.read()  # until the client has closed: an abort before would lose the answer
            return
        self._connections[task] = endpoint
        writer.write(ESTABLISHED)
        await writer.start_tls(endpoint.tls, ssl_handshake_timeout=HANDSHAKE_LIMIT_S)
        await _converse(endpoint, reader, writer)

    def _asked_for(self, request: HttpRequest | None) -> Endpoint | None:
        if request is None or request.method != "CONNECT":
            return None
        host, _, port = request.target.rpartition(":")
        return self._find(host, int(port)) if port.isdecimal() else None


async def _converse(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests until the client closes the connection."""
    while request := await read_request(reader):
        response = await endpoint.answer(request)
        writer.write(response.encoded())
        await writer.drain()
        if request.closes:
            await reader.read()  # until the client has read the answer and closed
            return
