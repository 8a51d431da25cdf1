"""Routers that hand requests on to the node that has the container: Nginx itself, on three loopback addresses."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.fakes.containers import Container, serving
from tests.fakes.router import BODY_LIMIT, NGINX, VPC, Router, free_port, full, running_node

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is missing")

NODES = {"i-a": "127.0.0.1", "i-b": "127.0.0.3", "i-c": "127.0.0.4"}
TENANT = "127.0.0.65"
JSON = "application/json"
BURST, A_SECOND = 100, 50
"""Questions for one client."""


class Locator:
    """Says which node has a container, by `nodes`; with `fails` it says nothing of use. `asked` lists the names."""

    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        self.asked: list[str] = []
        self.fails = False
        locator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.removeprefix("/")
                locator.asked.append(name)
                node = locator.nodes.get(name)
                status = 502 if locator.fails else 400 if name.isdigit() else 200 if node else 404
                self.send_response(status)
                if node:
                    self.send_header("Swarmkeeper-Node", node)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(slots=True)
class Fleet:
    """Three nodes; each router knows the containers that `put` has put on its node, and where the others are."""

    locator: Locator
    routers: dict[str, Router]
    door: int

    def put(self, name: str, node: str, port: int) -> str:
        """A container that answers on the node at this port; the host's label that it is asked under."""
        self.locator.nodes[name] = node
        self.routers[node].names.addresses[name] = NODES[node]
        return f"{name}--{port}"

    def forget(self, name: str, node: str) -> None:
        """The node's router has left the network of the container's tenant."""
        del self.routers[node].names.addresses[name]

    def part(self, node: str) -> None:
        """The node is gone, with its name."""
        for router in self.routers.values():
            del router.names.addresses[f"router--{node}"]

    def ask(self, host: str, path: str = "/", **more: Any) -> Any:
        """A request that the load balancer has sent to the first node."""
        return self.routers["i-a"].ask(host, path, **{"source": VPC, **more})


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    locator, door = Locator(), free_port()
    with ExitStack() as stack:
        stack.callback(locator.stop)
        routers = {}
        for node, host in NODES.items():
            folder = tmp_path / node
            folder.mkdir()
            routers[node] = stack.enter_context(running_node(folder, node, host, door, locator.port))
        for router in routers.values():
            router.names.addresses |= {f"router--{node}": host for node, host in NODES.items()}
        yield Fleet(locator, routers, door)


@pytest.fixture(params=NODES)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A node and the port of a container's server there."""
    with serving(NODES[request.param]) as port:
        yield request.param, port


@pytest.fixture
def far() -> Iterator[int]:
    """The port of a container's server on the second node."""
    with serving(NODES["i-b"]) as port:
        yield port


def test_a_container_on_any_node_answers_and_its_node_is_asked_for_once(
    fleet: Fleet, server: tuple[str, int]
) -> None:  # fmt: skip
    host = fleet.put("alice", *server)
    for path in ("/", "/status/404", "/status/500", "/status/401"):
        answer = fleet.ask(host, path)
        assert answer.status == int(path.rpartition("/")[2] or 200)
        assert "container" in answer.body or json.loads(answer.body)["Host"] == full(host)
    assert fleet.locator.asked == ["alice"]


def test_the_container_is_told_of_the_client_as_by_its_own_router(fleet: Fleet, far: int) -> None:
    host = fleet.put("alice", "i-b", far)
    passed: dict[str, Any] = {"X_Forwarded_For": "198.51.100.9, 203.0.113.7", "X_Forwarded_Proto": "https"}
    answers = [fleet.routers[node].ask(host, source=VPC, **passed) for node in ("i-a", "i-b")]
    through, near = (json.loads(answer.body) for answer in answers)
    assert through.pop("X-Request-Id") != near.pop("X-Request-Id")
    assert through == near
    assert through["X-Forwarded-For"] == "198.51.100.9, 203.0.113.7, 127.0.0.9"
    assert (through["X-Real-IP"], through["X-Forwarded-Proto"]) == ("203.0.113.7", "https")


def test_a_body_goes_on_as_it_comes_and_one_above_the_limit_does_not(fleet: Fleet, far: int) -> None:
    host = fleet.put("alice", "i-b", far)
    body = b"b" * (BODY_LIMIT - 1)
    answer = fleet.ask(host, method="POST", body=body)
    assert (answer.status, answer.body) == (200, str(len(body)))
    assert fleet.ask(host, method="POST", body=b"b" * (BODY_LIMIT + 1)).status == 413


def test_an_upload_reaches_a_container_on_another_node_while_it_is_sent(fleet: Fleet, far: int) -> None:
    host = fleet.put("alice", "i-b", far)
    connection = http.client.HTTPConnection(*fleet.routers["i-a"].address, timeout=10, source_address=(VPC, 0))
    connection.putrequest("POST", "/", skip_host=True)
    connection.putheader("Host", full(host))
    connection.putheader("Content-Length", "10")
    connection.endheaders(b"first")
    assert Container.go_on.wait(10)
    connection.send(b" last")
    assert connection.getresponse().read() == b"10"
    connection.close()


def test_an_unknown_name_is_refused_and_found_as_soon_as_it_is_known(fleet: Fleet, far: int) -> None:
    answer = fleet.ask(f"alice--{far}", Accept=JSON)
    assert (answer.status, json.loads(answer.body)["error"]) == (404, "no container of this name runs")
    host = fleet.put("alice", "i-b", far)
    _until(lambda: fleet.ask(host).status == 200)


def test_a_container_that_waits_on_its_node_is_a_name_that_does_not_run(fleet: Fleet) -> None:
    fleet.locator.nodes["alice"] = "i-b"
    answer = fleet.ask("alice", Accept=JSON)
    assert (answer.status, json.loads(answer.body)["error"]) == (404, "no container of this name runs")
    assert "X-Accel-Redirect" not in answer.headers


@pytest.mark.parametrize("target", ["i-a", "i-c"])
def test_one_that_has_moved_is_found_at_once(fleet: Fleet, target: str) -> None:
    with serving(NODES["i-b"]) as port:
        host = fleet.put("alice", "i-b", port)
        assert fleet.ask(host).status == 200
    fleet.forget("alice", "i-b")
    with serving(NODES[target], port):
        fleet.put("alice", target, port)
        assert fleet.ask(host).status == 200
        assert fleet.ask(host).status == 200
    assert fleet.locator.asked == ["alice", "alice"]


def test_one_whose_node_is_gone_is_found_on_another(fleet: Fleet, far: int) -> None:
    host = fleet.put("alice", "i-b", far)
    assert fleet.ask(host).status == 200
    fleet.part("i-b")
    fleet.routers["i-b"].stop()
    with serving(NODES["i-c"], far):
        fleet.put("alice", "i-c", far)
        assert fleet.ask(host).status == 200


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_node_that_does_not_answer_is_told_and_the_request_may_come_again(
    fleet: Fleet, far: int, method: str, *, gone: bool
) -> None:
    host = fleet.put("alice", "i-b", far)
    fleet.routers["i-b"].stop()
    if gone:
        fleet.part("i-b")
    answer = fleet.ask(host, method=method, body=b"body" if method == "POST" else None, Accept=JSON)
    assert (answer.status, json.loads(answer.body)["error"]) == (503, "the node of this container does not answer")
    assert answer.headers["Retry-After"] == "2"


def test_one_on_the_routers_own_networks_is_found_though_its_node_has_no_door(fleet: Fleet, far: int) -> None:
    """As where it was made before tenants had networks of their own."""
    host = fleet.put("alice", "i-b", far)
    fleet.part("i-b")
    fleet.routers["i-a"].names.addresses["alice"] = NODES["i-b"]
    assert fleet.ask(host).status == 200


def test_a_body_goes_where_the_container_is_by_the_first_question_after_a_move(fleet: Fleet) -> None:
    with serving(NODES["i-b"]) as port:
        host = fleet.put("alice", "i-b", port)
        assert fleet.ask(host, method="POST", body=b"b" * 10).status == 200
    fleet.forget("alice", "i-b")
    with serving(NODES["i-c"], port):
        fleet.put("alice", "i-c", port)
        statuses: list[int] = []

        def asks_again() -> bool:
            statuses.append(fleet.ask(host, method="POST", body=b"b" * 10).status)
            return len(fleet.locator.asked) == 2

        _until(asks_again)
    assert statuses[-1] == 200
    assert set(statuses[:-1]) <= {404, 503}


def test_without_the_locator_what_is_known_is_served_and_what_is_here(fleet: Fleet, far: int) -> None:
    known = fleet.put("alice", "i-b", far)
    assert fleet.ask(known).status == 200
    fleet.locator.fails = True
    unknown = fleet.put("bob", "i-b", far)
    with serving(NODES["i-a"]) as near:
        here = fleet.put("carol", "i-a", near)
        assert [fleet.ask(host).status for host in (known, here, unknown)] == [200, 200, 503]
        with_bodies = [fleet.ask(host, method="POST", body=b"b" * 10) for host in (known, here, unknown)]
    assert [answer.status for answer in with_bodies] == [200, 200, 503]
    answer = fleet.ask(unknown, Accept=JSON)
    assert json.loads(answer.body)["error"] == "could not look up where the container is"


def test_nobody_but_routers_is_let_in_by_the_door(fleet: Fleet) -> None:
    with serving(NODES["i-b"]) as port:
        host = fleet.put("alice", "i-b", port)
        router = fleet.routers["i-b"]
        inner = Router(fleet.door, router.folder, router.names, router.process, router.host)
        assert inner.ask(host, source=VPC).status == 403
        assert inner.ask(host, source=TENANT, method="POST", body=b"x").status == 403
        assert inner.ask(host).status == 200  # a router's address


def test_containers_are_refused_at_the_front(fleet: Fleet, server: tuple[str, int]) -> None:
    host = fleet.put("alice", *server)
    assert fleet.ask(host, source=TENANT).status == 403
    assert fleet.ask(host, source=TENANT, method="POST", body=b"x" * 10).status == 403
    assert fleet.ask(host).status == 200


def test_what_routers_say_to_each_other_neither_clients_nor_containers_say(fleet: Fleet, far: int) -> None:
    host = fleet.put("alice", "i-b", far)
    answer = fleet.ask(host, "/accelerated")
    assert (answer.status, answer.body) == (200, "the container's own")
    told = json.loads(fleet.ask(host, Swarmkeeper_Else="@silent", X_Request_Id="0" * 32).body)
    assert told["Swarmkeeper-Router"] == "1"
    assert "Swarmkeeper-Else" not in told
    assert told["X-Request-Id"] != "0" * 32
    assert fleet.ask("nobody", Swarmkeeper_Else="@silent").status == 404
    assert fleet.ask(host, Swarmkeeper_Router="1").status == 508
    assert fleet.ask(host, "/.swarmkeeper/steady").status == 404


def test_each_request_is_one_line_of_the_router_that_went_to_the_container(fleet: Fleet, far: int) -> None:
    host = fleet.put("alice", "i-b", far)
    assert fleet.ask(host, "/lab", X_Forwarded_For="203.0.113.7").status == 200
    told = json.loads(fleet.ask(host, "/again").body)
    assert fleet.ask("nobody", "/none").status == 404
    fleet.locator.nodes["waits"] = "i-b"
    assert fleet.ask("waits", "/waits").status == 404
    assert fleet.ask(host, "/refused", source=TENANT).status == 403
    logs = {node: sorted(router.log(), key=lambda line: line["path"]) for node, router in fleet.routers.items()}
    lines = {node: [(line["path"], line["status"]) for line in lines] for node, lines in logs.items()}
    assert lines == {
        "i-a": [("/none", 404), ("/refused", 403)], "i-b": [("/again", 200), ("/lab", 200), ("/waits", 404)], "i-c": [],
    }  # fmt: skip
    again, lab, _ = logs["i-b"]
    assert (lab["client"], lab["name"], lab["upstream_status"]) == ("203.0.113.7", "alice", 200)
    assert again["id"] == told["X-Request-Id"]


def test_who_polls_a_container_that_stands_still_asks_little(fleet: Fleet) -> None:
    fleet.locator.nodes["alice"] = "i-b"
    began = time.monotonic()
    assert {fleet.ask("alice").status for _ in range(30)} == {404}
    assert len(fleet.locator.asked) <= 2 + 2 * (time.monotonic() - began + 1)


def test_one_clients_guesses_keep_no_other_waiting(fleet: Fleet, far: int) -> None:
    for number in range(3 * BURST):
        fleet.ask(f"nobody-{number}", X_Forwarded_For="203.0.113.7")
    host = fleet.put("alice", "i-b", far)
    assert fleet.ask(host, X_Forwarded_For="198.51.100.9").status == 200


def test_a_name_that_no_container_can_have_is_an_unknown_one(fleet: Fleet) -> None:
    began = time.monotonic()
    assert [fleet.ask("12345").status for _ in range(5)] == [404] * 5
    assert len(fleet.locator.asked) <= 1 + time.monotonic() - began + 1


def test_names_that_nobody_has_cost_the_locator_a_bounded_number_of_questions(fleet: Fleet) -> None:
    began = time.monotonic()
    statuses = {fleet.ask(f"nobody-{number}").status for number in range(3 * BURST)}
    assert len(fleet.locator.asked) <= BURST + 1 + A_SECOND * (time.monotonic() - began + 0.1)
    assert statuses <= {404, 503}


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
