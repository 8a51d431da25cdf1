"""What the nodes' router does with requests: Nginx itself with the configuration that nodes render."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.containers import Container, serving
from tests.fakes.router import BODY_LIMIT, DOMAIN, NGINX, STRANGER, Router, free_port, running_router
from tests.fakes.websocket import Refused, WebSocket

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is missing")

HTML, JSON = "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"
TERMINAL = ("script", "--quiet", "--flush", "--command", "/bin/sh", "/dev/null")
SECRET = "s3cr3t"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with running_router(tmp_path) as made:
        yield made


@pytest.fixture
def alice(router: Router) -> Iterator[str]:
    """The name and port of a container that answers."""
    router.names.addresses["alice"] = "127.0.0.1"
    with serving() as port:
        yield f"alice--{port}"


def test_a_container_is_asked_under_the_host_that_the_user_asked_for(router: Router, alice: str) -> None:
    told = json.loads(router.ask(alice).body)
    assert (told["Host"], told["Swarmkeeper-Router"]) == (f"{alice}.{DOMAIN}", "1")


def test_the_clients_address_and_protocol_are_kept_as_the_load_balancer_tells_them(router: Router, alice: str) -> None:
    passed = "198.51.100.9, 203.0.113.7"
    told = json.loads(router.ask(alice, X_Forwarded_For=passed, X_Forwarded_Proto="https").body)
    assert told["X-Forwarded-For"] == f"{passed}, 127.0.0.1"
    assert (told["X-Real-IP"], told["X-Forwarded-Proto"]) == ("203.0.113.7", "https")


def test_nobody_else_is_believed_whose_request_it_is(router: Router, alice: str) -> None:
    answer = router.ask(alice, source=STRANGER, X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https")
    told = json.loads(answer.body)
    assert (told["X-Forwarded-For"], told["X-Real-IP"], told["X-Forwarded-Proto"]) == (STRANGER, STRANGER, "http")


def test_what_the_load_balancer_does_not_set_no_client_sets(router: Router, alice: str) -> None:
    answer = router.ask(alice, X_Forwarded_Host="bank.example", X_Forwarded_Port="1", Forwarded="host=bank.example")
    told = json.loads(answer.body)
    assert told["X-Forwarded-Host"] == f"{alice}.{DOMAIN}"
    assert told.keys().isdisjoint({"X-Forwarded-Port", "Forwarded"})


def test_a_container_can_not_have_its_answer_gathered_or_replaced(router: Router, alice: str) -> None:
    answer = router.ask(alice, "/accelerated")
    assert (answer.status, answer.body) == (200, "the container's own")


@pytest.mark.parametrize(
    ("host", "path", "status", "error"),
    [
        pytest.param("nobody", "/", 404, "no container of this name runs", id="no such container"),
        pytest.param("router", "/", 404, "no container of this name runs", id="a router's own name"),
        pytest.param("silent", "/", 503, "could not look up where the container is", id="no word from the DNS"),
        pytest.param("alice--1", "/", 503, "the container does not answer at this port yet", id="nobody listens"),
        pytest.param(
            None, "/broken", 502, "the container has broken off, or its answer is not HTTP", id="no answer"
        ),
    ],
)  # fmt: skip
def test_where_no_container_answers_the_router_says_what_it_knows(
    router: Router, alice: str, host: str | None, path: str, status: int, error: str
) -> None:
    router.names.silent.add("silent")
    answer = router.ask(host or alice, path, Accept=JSON)
    told = json.loads(answer.body)
    assert (answer.status, told["status"], told["error"]) == (status, status, error)
    assert answer.headers["Retry-After"] == ("2" if status == 503 else None)
    assert answer.headers.get_all("Content-Type") == [JSON]


@pytest.mark.parametrize(("method", "refreshes"), [("GET", True), ("POST", False)])
def test_a_browsers_page_asks_again_by_itself_unless_it_would_send_something_twice(
    router: Router, alice: str, method: str, refreshes: bool
) -> None:
    answer = router.ask("alice--1", method=method, Accept=HTML)
    assert (answer.status, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "Waiting for <em>alice</em>" in answer.body
    assert ('http-equiv="refresh"' in answer.body) is refreshes


def test_a_program_that_asks_for_nothing_special_is_told_in_a_line(router: Router) -> None:
    answer = router.ask("nobody")
    assert (answer.status, answer.body) == (404, "no container of the name nobody runs\n")


@pytest.mark.parametrize("status", [404, 413, 500, 502, 503, 504])
def test_what_a_container_answers_is_never_replaced(router: Router, alice: str, status: int) -> None:
    answer = router.ask(alice, f"/status/{status}", Accept=HTML)
    assert (answer.status, answer.body) == (status, "the container's own")


@pytest.mark.parametrize("host", ["a--b", "alice.elsewhere.example", "169.254.169.254", "127.0.0.1"])
def test_a_host_that_no_container_can_have_is_refused(router: Router, host: str) -> None:
    assert router.ask(host).body == "no such name\n"


def test_what_a_router_has_passed_on_is_not_passed_on_again(router: Router, alice: str) -> None:
    assert router.ask(alice, Swarmkeeper_Router="1").status == 508


def test_a_new_container_answers_as_soon_as_its_name_is_known(router: Router) -> None:
    with serving() as port:
        assert router.ask(f"bob--{port}").status == 404
        router.names.addresses["bob"] = "127.0.0.1"
        assert router.ask(f"bob--{port}").status == 200


def test_a_container_that_has_moved_is_found_at_once_although_its_old_address_is_still_remembered(
    router: Router,
) -> None:
    router.names.addresses["carol"] = "127.0.0.3"
    with serving("127.0.0.3") as port:
        assert router.ask(f"carol--{port}").status == 200
    router.names.addresses["carol"] = "127.0.0.4"
    with serving("127.0.0.4", port):
        assert router.ask(f"carol--{port}").status == 200


def test_a_container_that_was_removed_is_refused_at_once(router: Router) -> None:
    router.names.addresses["dave"] = "127.0.0.3"
    with serving("127.0.0.3") as port:
        assert router.ask(f"dave--{port}").status == 200
    del router.names.addresses["dave"]
    assert router.ask(f"dave--{port}").status == 404


def test_a_body_is_sent_once_only_and_its_request_is_told_to_come_again(router: Router) -> None:
    router.names.addresses["frank"] = "127.0.0.3"
    with serving("127.0.0.3") as port:
        assert router.ask(f"frank--{port}", method="POST", body=b"ten letters").body == "11"
        assert router.ask(f"frank--{port}").status == 200
    refused = router.ask(f"frank--{port}", method="POST", body=b"ten letters")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "2")


def test_an_address_is_remembered_for_two_seconds_at_most(router: Router) -> None:
    router.names.addresses["erin"] = "127.0.0.3"
    with serving("127.0.0.3") as port, serving("127.0.0.4", port):
        assert router.ask(f"erin--{port}").status == 200
        router.names.addresses.clear()
        deadline = time.monotonic() + 2.5
        while (status := router.ask(f"erin--{port}").status) == 200 and time.monotonic() < deadline:
            pass
    assert status == 404


def test_a_client_keeps_its_connection_over_many_requests(router: Router, alice: str) -> None:
    connection = http.client.HTTPConnection(*router.address, timeout=10)
    locals_of: set[object] = set()
    for host in (alice, "nobody", alice):
        connection.request("GET", "/", headers={"Host": f"{host}.{DOMAIN}"})
        connection.getresponse().read()
        assert connection.sock is not None
        locals_of.add(connection.sock.getsockname())
    connection.close()
    assert len(locals_of) == 1


def test_events_arrive_one_by_one(router: Router, alice: str) -> None:
    connection = http.client.HTTPConnection(*router.address, timeout=10)
    connection.request("GET", "/events", headers={"Host": f"{alice}.{DOMAIN}"})
    answer = connection.getresponse()
    assert answer.readline() == b"data: first\n"
    Container.go_on.set()
    assert answer.read() == b"\ndata: second\n\n"
    connection.close()


def test_an_upload_reaches_the_container_while_it_is_sent(router: Router, alice: str) -> None:
    connection = http.client.HTTPConnection(*router.address, timeout=10)
    connection.putrequest("POST", "/", skip_host=True)
    connection.putheader("Host", f"{alice}.{DOMAIN}")
    connection.putheader("Content-Length", "10")
    connection.endheaders(b"first")
    assert Container.go_on.wait(10)
    connection.send(b"later")
    assert connection.getresponse().read() == b"10"
    connection.close()


def test_a_body_above_the_limit_is_refused_before_it_is_sent(router: Router, alice: str) -> None:
    with socket.create_connection(router.address, timeout=10) as connection:
        head = f"POST / HTTP/1.1\r\nHost: {alice}.{DOMAIN}\r\nContent-Length: {BODY_LIMIT + 1}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_heads_may_be_as_large_as_a_load_balancer_lets_through(router: Router, alice: str) -> None:
    cookie = "c" * 15_000
    assert json.loads(router.ask(alice, Cookie=cookie).body)["Cookie"] == cookie
    assert len(router.ask(alice, "/large-head").headers["Set-Cookie"]) == 12_000


@pytest.mark.skipif(shutil.which("websocketd") is None, reason="websocketd is missing")
def test_a_terminal_over_a_websocket_takes_what_is_typed_and_shows_what_comes(router: Router) -> None:
    router.names.addresses["tina"] = "127.0.0.1"
    port = free_port()
    server = subprocess.Popen(
        ["websocketd", "--address=127.0.0.1", f"--port={port}", "--binary", "--loglevel=fatal", *TERMINAL]
    )
    try:
        with _opened(router, f"tina--{port}") as terminal:
            terminal.send(b"test -t 0 && echo a-ter''minal; stty size\n")
            assert b"a-terminal" in terminal.receive_until(b"a-terminal")
            terminal.send(b"echo $((6 * 7))\n")
            assert b"42" in terminal.receive_until(b"42")
            terminal.send(b"exit\n")
            with pytest.raises(ConnectionError, match="ended the connection"):
                terminal.receive_until(b"more than it says")
    finally:
        server.terminate()
        server.wait(10)
    (line,) = [line for line in router.log() if line["status"] == 101]
    assert (line["name"], line["upstream_status"]) == ("tina", 101)


def _opened(router: Router, name: str) -> WebSocket:
    """The WebSocket, once the server listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return WebSocket(router.address, f"{name}.{DOMAIN}")
        except Refused:
            assert time.monotonic() < deadline


def test_http_2_is_not_tunnelled_through(router: Router, alice: str) -> None:
    told = json.loads(router.ask(alice, Upgrade="h2c", Connection="Upgrade, HTTP2-Settings").body)
    assert ("Upgrade" in told, told["Connection"]) == (False, "close")


def test_each_request_is_a_line_with_the_containers_name(router: Router, alice: str) -> None:
    router.ask(alice, f"/a/path?token={SECRET}", X_Forwarded_For="203.0.113.7")
    router.ask("127.0.0.1", "/healthz")
    router.ask("nobody", method="DELETE")
    passed, refused = sorted(router.log(), key=lambda line: str(line["name"]))
    assert passed.items() >= {
        "name": "alice", "port": int(alice.partition("--")[2]), "method": "GET", "path": "/a/path", "status": 200,
        "upstream_status": 200, "client": "203.0.113.7",
    }.items()  # fmt: skip
    assert passed["bytes"] > 0
    assert passed["request_s"] >= 0 and passed["upstream_s"] >= 0
    assert refused.items() >= {
        "name": "nobody", "port": 80, "method": "DELETE", "path": "/", "status": 404, "upstream_status": None,
        "upstream_s": None, "client": "127.0.0.1",
    }.items()  # fmt: skip
    assert passed["id"] != refused["id"]


def test_the_page_and_the_container_name_a_request_as_the_log_does(router: Router, alice: str) -> None:
    told = (
        json.loads(router.ask(alice).body)["X-Request-Id"],
        json.loads(router.ask("nobody", Accept=JSON).body)["request"],
    )
    assert {line["id"] for line in router.log()} == set(told)


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        pytest.param('/"quoted"\\', '/"quoted"\\', id="quotes"),
        pytest.param("/caf\xe9", "/caf", id="not plain"),
        pytest.param("/" + '"' * 8_000, "/" + '"' * 999, id="long"),
        pytest.param(f"http://alice.{DOMAIN}/x?{SECRET}", "/x", id="with a host"),
    ],
)
def test_every_line_is_json_whatever_was_asked_for(router: Router, alice: str, target: str, logged: str) -> None:
    with socket.create_connection(router.address, timeout=10) as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: {alice}.{DOMAIN}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 ")
    (line,) = router.log()
    assert line["path"] == logged


def test_no_query_is_written_anywhere_not_even_when_the_request_fails(router: Router, alice: str) -> None:
    for host, path in ((alice, "/broken"), ("alice--1", "/"), ("nobody", "/")):
        router.ask(host, f"{path}?token={SECRET}")
    assert {line["status"] for line in router.log()} == {502, 503, 404}
    assert SECRET not in (router.folder / "stdout").read_text() + router.errors()


def test_nothing_is_logged_where_the_fleet_wants_no_log(tmp_path: Path) -> None:
    with running_router(tmp_path, ACCESS_LOG="no") as router:
        assert router.ask("nobody").status == 404
        assert router.log() == []
