"""A fleet's locator as its routers ask it: the template's load balancer, its function, and the table."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from local.aws.asked import Grants
from local.aws.balancers import BalancerFront, function_listeners
from local.aws.http_front import at_loopback
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.cli.bench.coldstart_parts import Deployed, deployed_fleet
from tests.contract.acts import placed, with_node
from tests.fakes.builders import a_node


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed_fleet(tmp_path_factory.mktemp("fleet")) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def address(fleet: Deployed) -> Iterator[str]:
    (listener,) = function_listeners(fleet.server)
    assert (listener.name.startswith("demo-locator-"), listener.port) == (True, 8081)
    front = BalancerFront(fleet.server, fleet.functions, listener, at_loopback())
    yield urlsplit(front.url).netloc
    front.stop()


def told(address: str, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers.get("Swarmkeeper-Node", "")


def test_a_router_is_told_the_node_as_the_table_has_it(fleet: Deployed, address: str) -> None:
    store = DynamoStore(fleet.server.client("dynamodb"), "demo-state")
    assert told(address, "/web-1") == (404, "")
    container = placed(store, with_node(store, a_node("i-0a")))
    assert told(address, "/web-1") == (200, "i-0a")
    store.unplace(container, reason="its node is lost")
    assert told(address, "/web-1") == (404, "")
    assert told(address, "/Web-1") == (400, "")
    assert told(address, "/web-1", "POST") == (405, "")


def test_it_asks_for_nothing_but_what_it_is_granted(fleet: Deployed, address: str) -> None:
    grants = Grants(fleet.server)
    fleet.server.obstacles.watch(grants.before)
    assert told(address, "/web-2") == (404, "")
    assert grants.asked() == {"demo-locator": frozenset({"dynamodb:GetItem demo-state"})}
