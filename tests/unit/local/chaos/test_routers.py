"""What is asked of routers at rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from local.chaos.judge import Violation
from local.chaos.routers import Routers
from local.chaos.snapshot import ContainerRecord, Snapshot
from swarmkeeper.cli.fleet import Fleet
from swarmkeeper.edge.settings import NetworkSettings, load_settings

KNOWN = "alice"


class Router(BaseHTTPRequestHandler):
    """Reaches one container."""

    def do_GET(self) -> None:
        is_known = self.headers["Host"] == f"{KNOWN}.fleet.example"
        body = KNOWN.encode() if is_known else b"no container of this name runs"
        self.send_response(200 if is_known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class Nodes:
    """Answers the fleet's list with a ready worker; one that joins and a manager have no router."""

    def invoke(self, **_call: Any) -> dict[str, Any]:
        nodes = [("i-1", "worker", "ready"), ("i-2", "worker", "joining"), ("i-3", "manager", "ready")]
        listed = [{"id": each, "role": role, "state": state, "address": "127.0.0.1"} for each, role, state in nodes]
        answer = {"status": 200, "nodes": listed, "containers": []}
        return {"StatusCode": 200, "Payload": Payload(json.dumps(answer).encode())}


class Payload:
    """A body of the SDK's."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self) -> bytes:
        return self._content


@pytest.fixture
def network() -> Iterator[NetworkSettings]:
    """The shipped profile's network, with the port of a router that listens here."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Router) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        shipped = load_settings(Path(__file__).parents[4] / "swarmkeeper.chaos.yaml").network
        yield shipped.model_copy(update={"router_port": server.server_address[1]})
        server.shutdown()


def test_what_runs_and_is_not_reached_is_told_by_router(network: NetworkSettings) -> None:
    states = {KNOWN: "running", "bob": "running", "carol": "pending"}
    containers = {name: ContainerRecord(name, state) for name, state in states.items()}
    seen = Snapshot(at=0.0, containers=containers)
    found = Routers(Fleet("chaos", Nodes()), network).unanswered(seen)
    assert found == [
        Violation("name", "bob", "is not reached by the router of i-1: 404 no container of this name runs")
    ]
