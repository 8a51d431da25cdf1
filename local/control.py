"""The daemon's control socket: one JSON object a line in each direction, one request a connection."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

Answer = dict[str, object]
Handler = Callable[[Mapping[str, object]], Answer]


class ControlError(Exception):
    """The daemon refused the request, or is not there."""


class ControlServer:
    """Serves requests from this user's programs until `stop`."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        """Listen on `path`; each request names one of `handlers` in `do`."""
        path.unlink(missing_ok=True)
        self._path = path
        self._server = _Server(str(path), _Connection)
        path.chmod(0o600)
        self._server.handlers = handlers
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and remove the socket; safe to repeat."""
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 32
    handlers: Mapping[str, Handler]


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        # The asker may have gone away meanwhile; its answer then has no reader.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(json.dumps(self._answer()).encode() + b"\n")

    def _answer(self) -> Answer:
        try:
            request = json.loads(self.rfile.readline())
            return {"ok": self.server.handlers[request["do"]](request)}
        except Exception as error:  # noqa: BLE001  whatever failed belongs to the asker, and the daemon lives on
            return {"error": f"{type(error).__name__}: {error}"}


def ask(path: Path, do: str, *, timeout_s: float = 10.0, **request: object) -> Answer:
    """Send one request and return the answer. Raises ControlError."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(os.fspath(path))
            connection.sendall(json.dumps({"do": do, **request}).encode() + b"\n")
            with connection.makefile() as lines:
                answer = json.loads(lines.readline() or "{}")
    except (OSError, ValueError) as error:
        raise ControlError(f"the local cloud's daemon does not answer on {path}: {error}") from error
    if "ok" not in answer:
        raise ControlError(str(answer.get("error", "the local cloud's daemon gave no answer")))
    return dict(answer["ok"])
