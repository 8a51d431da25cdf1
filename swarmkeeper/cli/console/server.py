"""Serves a console on this machine's loopback address."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from swarmkeeper.cli.api import Api
from swarmkeeper.cli.console.feed import Feed
from swarmkeeper.cli.console.site import Asked, Site

ADDRESS = "127.0.0.1"
KEY_BYTES = 24


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away before it was answered is nothing to tell of."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.site.reply(Asked(self.command, self.path, headers))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.content)))
        if int(headers.get("content-length") or 0):  # a body that nobody asked for would be read as a request
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(reply.content)

    do_GET = do_PUT = do_DELETE = do_POST = _serve  # noqa: N815  # the names that http.server looks for

    def log_message(self, *_arguments: Any) -> None:
        """Nothing: the first request holds the key."""


@contextmanager
def serving(api: Api, *, port: int = 0, every_s: float = 5.0) -> Iterator[Site]:
    """A console at that port, a free one for 0, until the block ends. Raises OSError for a port that is taken."""
    with _Server((ADDRESS, port), _Handler) as server:
        site = Site(api, Feed(api, every_s), secrets.token_urlsafe(KEY_BYTES), server.server_address[1])
        server.site = site
        thread = threading.Thread(target=server.serve_forever, name="console", daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
