"""What runs in a container behind the router: a server on a loopback address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


class Container(BaseHTTPRequestHandler):
    """A container's server: tells what it was asked, or answers by the path."""

    protocol_version = "HTTP/1.1"
    go_on = Event()

    def do_GET(self) -> None:
        kind = self.path.partition("?")[0]
        if kind.startswith("/status/"):
            self._answer(int(kind.removeprefix("/status/")), b"the container's own")
        elif kind == "/events":
            self._events()
        elif kind == "/large-head":
            self._answer(200, b"", **{"Set-Cookie": "c" * 12_000})
        elif kind == "/accelerated":
            wanted = {"X-Accel-Redirect": "/healthz", "X-Accel-Buffering": "yes"}
            self._answer(200, b"the container's own", **wanted)
        elif kind == "/broken":
            self.close_connection = True
        else:
            self._answer(200, json.dumps(dict(self.headers)).encode())

    def do_POST(self) -> None:
        first = self.rfile.read(5)
        self.go_on.set()
        rest = self.rfile.read(int(self.headers["Content-Length"]) - 5)
        self._answer(200, str(len(first + rest)).encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _events(self) -> None:
        """Two server-sent events, the second when the first has arrived."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        assert self.go_on.wait(10)
        self.wfile.write(b"data: second\n\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@contextmanager
def serving(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A container's server on an address; its port."""
    Container.go_on.clear()
    with ThreadingHTTPServer((address, port), Container) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
