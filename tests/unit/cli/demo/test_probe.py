from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from swarmkeeper.cli.demo import probe
from swarmkeeper.cli.demo.probe import Route, SilenceMeter, refuses_strangers, wait_for_answers


class Router(BaseHTTPRequestHandler):
    """Answers for `web.fleet.example`, with its name; knows no other."""

    asked = threading.Event()

    def do_GET(self) -> None:  # the name that the server calls
        known = self.headers["Host"] == "web.fleet.example"
        body = b"I am web" if known else b"no such container"
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.asked.set()

    def log_message(self, format: str, *args: object) -> None:
        """Tests are silent."""


@pytest.fixture
def route() -> Iterator[Route]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Router) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Route("i-1", "127.0.0.1", server.server_port, "fleet.example")
        server.shutdown()
        thread.join()


def test_a_container_that_answers_with_its_name_is_there(route: Route) -> None:
    assert wait_for_answers([route], ["web"], limit_s=5) == {}


def test_names_that_never_answer_are_told_by_node_with_what_was_said(route: Route) -> None:
    missing = wait_for_answers([route], ["web", "ghost"], limit_s=0)
    assert missing == {"i-1": {"ghost": "404 no such container"}}


def test_a_route_to_nowhere_is_no_error() -> None:
    assert Route("i-1", "127.0.0.1", 9, "fleet.example").get("web")[0] == 0


def test_a_container_that_answers_all_the_time_is_hardly_silent(route: Route) -> None:
    Router.asked.clear()
    with SilenceMeter([route], ["web"]) as meter:
        assert Router.asked.wait(5)
    assert 0 < meter.longest_s["web"] < 3


def test_a_container_that_never_answers_is_silent_all_the_time(route: Route) -> None:
    Router.asked.clear()
    with SilenceMeter([route], ["ghost"]) as meter:
        assert Router.asked.wait(5)
    assert meter.longest_s["ghost"] > 0


def test_an_api_that_answers_plain_http_does_not_refuse(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ENGINE_PORT", route.port)
    assert refuses_strangers("127.0.0.1") == (False, "answered plain HTTP: b'HTTP/1.0 404 Not Found'")
