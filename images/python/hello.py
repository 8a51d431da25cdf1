"""Answers HTTP on PORT with NAME, or the host's name, until it is told to end."""

import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ.get("NAME", socket.gethostname())


class Hello(BaseHTTPRequestHandler):
    """Says who it is."""

    def do_GET(self) -> None:
        """Answer any path."""
        body = f"{NAME}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Health checks would fill the log."""


# Process 1 of a container is deaf to a signal that it doesn't handle.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("", int(os.environ.get("PORT", "80"))), Hello).serve_forever()
