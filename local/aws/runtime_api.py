"""Lambda's Runtime API, one server for each execution environment, so that no two can mix their requests.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from local.aws.invocations import UNHANDLED, Invocation, Outcome

_PREFIX = "/2018-06-01/runtime/"


class RuntimeApi:
    """What one runtime process asks for its next invocation and tells how the last one ended."""

    def __init__(self, function_arn: str) -> None:
        self.function_arn = function_arn
        self.ready = threading.Event()
        """Set when the runtime asked for its first invocation, failed to start, or was closed."""
        self.init_error: Outcome | None = None
        self._waiting: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._current: Invocation | None = None
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.api = self
        self._closed = threading.Event()
        threading.Thread(target=self._serve, name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """`host:port`, as the runtime's environment names it."""
        return f"127.0.0.1:{self._http.server_port}"

    def give(self, invocation: Invocation) -> None:
        """Make this the next invocation."""
        self._current = invocation
        self._waiting.put(invocation)

    def close(self) -> None:
        """Let go of the runtime, which is gone or about to be; may be called twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        self.ready.set()
        self._waiting.put(None)
        # The server waits without a time limit, so that idle environments cost nothing: a connection wakes it.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._http.server_port), timeout=1).close()

    def next(self) -> Invocation | None:
        """Wait for an invocation; None when closed."""
        self.ready.set()
        invocation = self._waiting.get()
        if invocation is None:
            self._waiting.put(None)
        return invocation

    def told(self, path: str, body: bytes) -> bool:
        """Take what the runtime posts to `path` (behind the version); False when it isn't ours."""
        if path in {"init/error", "restore/error"}:
            self.init_error = Outcome(body, UNHANDLED)
            self.ready.set()
            return True
        _, _, rest = path.partition("invocation/")
        request_id, _, what = rest.partition("/")
        current = self._current
        if current is None or current.id != request_id or what not in {"response", "error"}:
            return False
        current.finish(Outcome(body, UNHANDLED if what == "error" else ""))
        return True

    def _serve(self) -> None:
        with self._http:
            while not self._closed.is_set():
                self._http.handle_request()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a handler that waits for the next invocation ends with its process
    api: RuntimeApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet, or the second waits for a delayed acknowledgement
    server: _Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == f"{_PREFIX}restore/next":
            self._answer(200, b"{}")  # the snapshot is restored at once, in the process that would have been in it
            return
        if path != f"{_PREFIX}invocation/next":
            self._answer(404, b"{}")
            return
        invocation = self.server.api.next()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.server.api.function_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-00000000-{invocation.id.replace('-', '')[:24]};Sampled=0",
        }
        self._answer(200, invocation.payload, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.server.api.told(urlsplit(self.path).path.removeprefix(_PREFIX), body)
        self._answer(202 if known else 400, b'{"status":"OK"}')

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        del format, args
