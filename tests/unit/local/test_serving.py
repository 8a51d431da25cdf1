"""AWS's APIs are served over connections that stay open, and to this process's clients without any."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http.client import HTTPConnection
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from local.aws.server import AwsServer
from local.aws.serving import Listener

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HOST = "127.0.0.1"


def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Tells the path; reads the body on `/read` only."""
    path = str(environ["PATH_INFO"])
    if path == "/fail":
        raise ValueError("asked to")
    start_response("204 No Content" if path == "/nothing" else "200 OK", [("X-Path", path)])
    if path == "/nothing":
        return []
    return [b"read:", environ["wsgi.input"].read()] if path == "/read" else [path.encode()]


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener(HOST, 0, app)
    yield one
    one.stop()


@pytest.fixture
def connection(listener: Listener) -> Iterator[HTTPConnection]:
    one = HTTPConnection(HOST, listener.port, timeout=10)
    one.connect()
    yield one
    one.close()


def asked(connection: HTTPConnection, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    connection.request(method, path, body=body)  # type: ignore[arg-type]  # what http.client sends in chunks too
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_one_connection_serves_many_requests_whether_or_not_their_bodies_are_read(connection: HTTPConnection) -> None:
    socket = connection.sock
    assert asked(connection, "POST", "/read", b"abc") == (200, b"read:abc")
    assert asked(connection, "POST", "/unread", b"GET /smuggled HTTP/1.1\r\n\r\n") == (200, b"/unread")
    assert asked(connection, "DELETE", "/nothing") == (204, b"")
    assert asked(connection, "HEAD", "/head") == (200, b"")
    assert asked(connection, "GET", "/last") == (200, b"/last")
    assert connection.sock is socket


def test_a_body_in_chunks_is_read_and_ends_the_connection(connection: HTTPConnection) -> None:
    assert asked(connection, "PUT", "/read", iter([b"ab", b"c"])) == (200, b"read:abc")
    assert connection.sock is None or not connection.sock.recv(1)


def test_an_application_that_fails_is_an_error_of_one_request(
    connection: HTTPConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert asked(connection, "GET", "/fail")[0] == 500
    assert "asked to" in caplog.text
    assert asked(connection, "GET", "/next") == (200, b"/next")


def test_stopping_ends_connections_that_are_open(listener: Listener, connection: HTTPConnection) -> None:
    assert asked(connection, "GET", "/") == (200, b"/")
    socket = connection.sock
    listener.stop()
    assert socket.recv(1) == b""


def test_clients_of_this_process_need_no_connection(server: AwsServer) -> None:
    s3, sqs = server.client("s3"), server.client("sqs")
    server.unlisten()
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": server.region})
    s3.put_object(Bucket="bucket", Key="a name/ä+b%20", Body=BytesIO(b"x" * 100_000), Metadata={"kind": "file"})
    got = s3.get_object(Bucket="bucket", Key="a name/ä+b%20")
    assert (got["Body"].read(), got["Metadata"]) == (b"x" * 100_000, {"kind": "file"})
    assert s3.head_object(Bucket="bucket", Key="a name/ä+b%20")["ContentLength"] == 100_000
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_attributes(QueueUrl=f"{url}-absent", AttributeNames=["All"])
