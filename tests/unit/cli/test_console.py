"""The console answers its user's browser and nobody else, and shows what the fleet's API tells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest

from swarmkeeper.cli.api import Api, ApiError
from swarmkeeper.cli.console.feed import Feed
from swarmkeeper.cli.console.server import serving
from swarmkeeper.cli.console.site import CHANGING, POLICY, Asked, Site

KEY = "made-up-key"
PORT = 8600
HOST = f"127.0.0.1:{PORT}"
COOKIE = f"swarmkeeper-{PORT}={KEY}"
ANSWERS = {
    "GET /nodes": {"nodes": [{"id": "i-0a"}]},
    "GET /containers?limit=500": {"containers": [{"name": "web-1"}], "next": None},
    "GET /scaling/decisions/d%2F1": {"id": "d/1"},
    "GET /containers/web-1/explain": {"chosen": "i-0a"},
    "PUT /nodes/i-0a/drain": {"id": "i-0a", "state": "draining"},
    "DELETE /nodes/i-0a/drain": {"id": "i-0a", "state": "ready"},
    "PUT /nodes/i-0a/protection": {"id": "i-0a", "protected": True},
    "DELETE /nodes/i-0a/protection": {"id": "i-0a", "protected": False},
}


@dataclass
class FakeFleet:
    """The fleet's API: answers what is known, refuses the rest."""

    asked: Counter[str] = field(default_factory=Counter)
    is_away: bool = False

    def send(self, request: AWSRequest) -> tuple[int, dict[str, str], bytes]:
        if self.is_away:
            raise ApiError("https://api.example does not answer")
        call = f"{request.method} {str(request.url).removeprefix('https://api.example')}"
        self.asked[call] += 1
        if call.startswith("GET /scaling/decisions?"):
            return 200, {}, json.dumps({"decisions": [{"id": "d/1"}], "next": None}).encode()
        if call not in ANSWERS:
            return 404, {}, json.dumps({"detail": f"{call} is unknown"}).encode()
        return 200, {}, json.dumps(ANSWERS[call]).encode()


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(fleet: FakeFleet, clock: Clock) -> Site:
    api = Api("https://api.example", fleet.send)
    return Site(api, Feed(api, every_s=5.0, now=clock), KEY, PORT)


def ask(site: Site, target: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    """The status and what is told, as the user's browser asks unless `headers` say otherwise."""
    given = {"host": HOST, "cookie": COOKIE, **headers}
    reply = site.reply(Asked(method, target, given))
    is_json = reply.headers.get("Content-Type") == "application/json"
    return reply.status, json.loads(reply.content) if is_json else reply.content.decode()


def test_the_printed_address_lets_a_browser_in_and_leaves_no_key_in_its_bar(site: Site) -> None:
    reply = site.reply(Asked("GET", site.url.removeprefix(f"http://{HOST}"), {"host": HOST}))
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    assert reply.headers["Set-Cookie"] == f"{COOKIE}; HttpOnly; SameSite=Strict; Path=/"


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/", {"cookie": ""}, 403),
        ("/?key=guessed", {"cookie": ""}, 403),
        ("/api/fleet", {"cookie": f"swarmkeeper-{PORT}=guessed"}, 403),
        ("/api/fleet", {"cookie": f"swarmkeeper-1={KEY}"}, 403),
        ("/api/fleet", {"cookie": "=;=\x00"}, 403),
        ("/api/fleet", {"host": "rebound.example"}, 421),
        ("/?key=" + KEY, {"host": "rebound.example"}, 421),
    ],
)
def test_strangers_and_rebound_names_get_nothing(
    site: Site, fleet: FakeFleet, target: str, headers: dict[str, str], status: int
) -> None:
    assert ask(site, target, **headers)[0] == status
    assert not fleet.asked


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_nothing_is_changed_for_another_origin(site: Site, fleet: FakeFleet, method: str) -> None:
    status, told = ask(site, "/api/nodes/i-0a/drain", method)
    assert (status, CHANGING in told["detail"]) == (403, True)
    assert not fleet.asked


@pytest.mark.parametrize("call", [call for call in ANSWERS if call.startswith(("PUT", "DELETE"))])
def test_nodes_are_drained_and_protected_and_the_fleet_is_read_again(site: Site, fleet: FakeFleet, call: str) -> None:
    ask(site, "/api/fleet")
    method, _, path = call.partition(" ")
    assert ask(site, f"/api{path}", method, **{CHANGING: "1"}) == (200, ANSWERS[call])
    ask(site, "/api/fleet")
    assert (fleet.asked[call], fleet.asked["GET /nodes"]) == (1, 2)


def test_the_fleet_is_read_once_a_period_however_many_pages_ask(site: Site, fleet: FakeFleet, clock: Clock) -> None:
    first = ask(site, "/api/fleet")
    assert first == (
        200,
        {
            "at": clock.now,
            "every_s": 5.0,
            "nodes": [{"id": "i-0a"}],
            "containers": [{"name": "web-1"}],
            "decisions": [{"id": "d/1"}],
        },
    )
    clock.now += 4.9
    assert ask(site, "/api/fleet") == first
    clock.now += 0.1
    assert ask(site, "/api/fleet")[1]["at"] == clock.now
    assert fleet.asked["GET /nodes"] == 2


def test_a_decision_and_why_a_container_is_where_it_is(site: Site) -> None:
    assert ask(site, "/api/decisions/d%2F1") == (200, {"id": "d/1"})
    assert ask(site, "/api/containers/web-1/why") == (200, {"chosen": "i-0a"})


def test_what_the_fleet_refuses_and_that_it_is_away_are_told(site: Site, fleet: FakeFleet) -> None:
    assert ask(site, "/api/containers/nobody/why") == (
        404,
        {"detail": "GET /containers/nobody/explain is unknown (404)"},
    )
    fleet.is_away = True
    assert ask(site, "/api/fleet") == (502, {"detail": "https://api.example does not answer"})


@pytest.mark.parametrize("target", ["/", "/console.css", "/console.js"])
def test_the_page_needs_nothing_from_elsewhere(site: Site, target: str) -> None:
    status, text = ask(site, target)
    assert status == 200
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    assert "style=" not in text  # the policy refuses it
    headers = site.reply(Asked("GET", target, {"host": HOST, "cookie": COOKIE})).headers
    assert (headers["Content-Security-Policy"], headers["Cache-Control"]) == (POLICY, "no-store")


@pytest.mark.parametrize(("method", "target"), [("GET", "/etc/passwd"), ("PUT", "/api/fleet"), ("POST", "/api/fleet")])
def test_what_is_not_served_is_told(site: Site, method: str, target: str) -> None:
    assert ask(site, target, method, **{CHANGING: "1"})[0] in (404, 405)


@pytest.fixture
def served(fleet: FakeFleet) -> Iterator[Site]:
    with serving(Api("https://api.example", fleet.send), every_s=5.0) as site:
        yield site


def test_it_is_served_on_loopback_until_the_end(served: Site) -> None:
    def answered(**headers: str) -> int:
        connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
        with closing(connection):
            connection.request("GET", "/api/fleet", headers=headers)
            return connection.getresponse().status

    assert answered() == 403
    assert answered(Cookie=f"swarmkeeper-{served.port}={served.key}") == 200
