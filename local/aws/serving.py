"""A WSGI application at an address and for clients of this process, at a fraction of what werkzeug's own server costs.

Connections stay open, as AWS's do: werkzeug makes one, and a thread, for every request. Clients of this process are
answered without any.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto.moto_server.werkzeug_app import MotoRequestHandler
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.serving import ThreadedWSGIServer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

Headers = list[tuple[str, str]]


class Listener:
    """One address on which an application is served."""

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        # Not moto's ThreadedMotoServer: it binds in its thread, and waits for ever when the port is taken.
        try:
            self._http = _Server(host, port, app, _Handler)
        except SystemExit as error:  # how werkzeug puts it
            raise OSError(f"{host}:{port} can't be bound") from error
        self.port = self._http.server_port
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, name=f"aws-server-{host}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; connections that are open end."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadedWSGIServer):
    """Knows its open connections, each of which has a thread that reads from it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):  # its peer has closed it
                    one.shutdown(socket.SHUT_RDWR)


class _Handler(MotoRequestHandler):
    """Answers one request after another, without a line on standard error for each."""

    disable_nagle_algorithm = True
    # Head and body leave in one packet: written apart, the second waits for the peer's delayed acknowledgement.
    wbufsize = -1

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
            self.wfile.flush()
        environ = self.make_environ()
        # All of it, whether or not the application asks: the next request stands behind it.
        environ["wsgi.input"] = BytesIO(self._body(environ))
        status, headers, body = answer_of(self.server.app, environ)
        self._send(status, headers, body)

    def _body(self, environ: WSGIEnvironment) -> bytes:
        if environ.get("wsgi.input_terminated"):
            self.close_connection = True  # what may follow the last chunk isn't read
            return bytes(environ["wsgi.input"].read())
        return self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))

    def _send(self, status: str, headers: Headers, body: bytes) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers) and int(code) not in _BODILESS:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


class Transport:
    """Answers a boto3 client's requests with an application of this process. Register it for `before-send`."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        status, headers, body = answer_of(self._app, environ_of(request))
        code = int(status.split(" ", 1)[0])
        kept = HTTPHeaderDict(headers)
        raw = HTTPResponse(BytesIO(body), kept, code, preload_content=False, request_method=request.method)
        return AWSResponse(request.url, code, cast(HTTPHeaders, raw.headers), raw)


def answer_of(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, Headers, bytes]:
    """Status, headers and body; what an application raises is logged and an InternalServerError, as werkzeug has it."""
    begun = list[tuple[str, Headers]]()

    def start_response(status: str, headers: Headers, _: object = None) -> Any:
        begun.append((status, headers))

    try:
        body = b"".join(_parts(app, environ, start_response))
    except Exception:  # one request's trouble must not end its connection's others
        logger.exception("an AWS API failed")
        return "500 Internal Server Error", [], b"Internal Server Error"
    return *begun[-1], body


def _parts(app: WSGIApplication, environ: WSGIEnvironment, start_response: Any) -> Iterator[bytes]:
    answer = app(environ, start_response)
    try:
        yield from answer
    finally:
        if close := getattr(answer, "close", None):
            close()


def environ_of(request: AWSPreparedRequest) -> WSGIEnvironment:
    """A request as a server would have handed it on."""
    url = urlsplit(request.url)
    target = f"{url.path}?{url.query}" if url.query else url.path
    body = _bytes(request.body)
    environ: WSGIEnvironment = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = _text(value)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, bytes | bytearray) else bytes(body.read())


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
