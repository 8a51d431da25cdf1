"""What the locator answers to a load balancer, and what it doesn't take for a request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from functions.locator import handler as locator_function
from functions.locator.wiring import build
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.domain.model import ContainerName, NodeId
from swarmkeeper.errors import InvalidInput, InvariantBroken
from tests.contract.acts import moving, now_stored, placed, running, with_node
from tests.fakes.aws import TABLE, aws_account, create_state_table
from tests.fakes.builders import a_node
from tests.functions.recorded import Context, recorded

NODE = "i-0a"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoStore]:
    """The table that the function reads."""
    with aws_account() as session:
        client = session.client("dynamodb")
        create_state_table(client)
        places = build({"SWARMKEEPER_TABLE": TABLE})
        monkeypatch.setattr(locator_function, "wired", lambda: places)
        yield DynamoStore(client, TABLE)


def asked(path: str = "/web-1", method: str = "GET") -> dict[str, Any]:
    """The answer to a request that the load balancer hands over."""
    answer = locator_function.handler(recorded("locate") | {"path": path, "httpMethod": method}, Context())
    assert json.loads(json.dumps(answer)) == answer
    assert answer.keys() == {"statusCode", "statusDescription", "headers", "isBase64Encoded", "body"}
    return answer


def told(path: str = "/web-1", method: str = "GET") -> tuple[int, str]:
    answer = asked(path, method)
    return answer["statusCode"], answer["headers"].get("Swarmkeeper-Node", "")


def test_a_container_is_on_the_node_that_holds_its_reservation(store: DynamoStore) -> None:
    node = with_node(store, a_node(NODE))
    placed(store, node)
    assert told() == (200, NODE)
    assert asked()["statusDescription"] == "200 OK"
    running(store, now_stored(store, node), "web-2")
    assert told("/web-2") == (200, NODE)


def test_an_answer_changes_with_the_table(store: DynamoStore) -> None:
    assert told() == (404, "")
    container = placed(store, with_node(store, a_node(NODE)))
    assert told() == (200, NODE)
    store.unplace(container, reason="its node is lost")
    assert told() == (404, "")  # it waits for a node


def test_while_a_container_is_moved_it_is_where_it_was(store: DynamoStore) -> None:
    source, target = with_node(store, a_node(NODE)), with_node(store, a_node("i-0b"))
    container = moving(store, source, target)
    assert told() == (200, NODE)
    store.finish_move(container, engine_id="new")
    assert told() == (200, "i-0b")


def test_asked_twice_it_says_the_same_and_changes_nothing(store: DynamoStore) -> None:
    placed(store, with_node(store, a_node(NODE)))
    before = store.container(ContainerName("web-1"))
    assert asked() == asked()
    assert store.container(ContainerName("web-1")) == before


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/Web-1",
        "/a",
        "/web--1",
        "/web-1/",
        "/web-1/x",
        "/%2e%2e",
        "/127",
        "/router",
        "//web-1",
        "/" + "a" * 51,
    ],
)
def test_what_can_be_no_containers_name_is_not_looked_for(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locator_function, "wired", NothingToAsk)
    assert told(path) == (400, "")


class NothingToAsk:
    """A table that must not be asked."""

    def node_of(self, name: ContainerName) -> NodeId:
        raise AssertionError(f"{name} was looked for")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_it_is_asked_by_get_alone(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locator_function, "wired", NothingToAsk)
    answer = asked(method=method)
    assert (answer["statusCode"], answer["headers"]) == (405, {"Allow": "GET, HEAD"})


def test_head_is_answered_as_get_is(store: DynamoStore) -> None:
    placed(store, with_node(store, a_node(NODE)))
    assert asked(method="HEAD") == asked()


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({}, id="nothing"),
        pytest.param([], id="no object"),
        pytest.param({"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/web-1"}, id="no target group"),
        pytest.param({"requestContext": None, "httpMethod": "GET", "path": "/web-1"}, id="no context"),
        pytest.param(recorded("schedule"), id="a schedule's"),
        pytest.param(recorded("http_get"), id="the HTTP API's"),
    ],
)
def test_an_event_of_anybody_else_is_an_error_that_says_so(event: Any) -> None:
    with pytest.raises(InvalidInput, match="only a load balancer calls this function"):
        locator_function.handler(event, Context())


@pytest.mark.parametrize("field", ["httpMethod", "path"])
@pytest.mark.parametrize("value", [None, 1, ["/web-1"]])
def test_a_request_without_method_or_path_is_an_error_that_names_the_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"{field}: must be a text"):
        locator_function.handler(recorded("locate") | {field: value}, Context())


def test_without_its_table_it_fails_rather_than_say_that_there_is_no_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with aws_account():
        places = build({"SWARMKEEPER_TABLE": "not-there"})
        monkeypatch.setattr(locator_function, "wired", lambda: places)
        with pytest.raises(InvariantBroken, match="GetItem: ResourceNotFoundException"):
            asked()


def test_without_a_table_it_is_not_built() -> None:
    with pytest.raises(InvalidInput, match="SWARMKEEPER_TABLE"):
        build({})


def test_a_look_is_not_logged(
    store: DynamoStore, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    placed(store, with_node(store, a_node(NODE)))
    with caplog.at_level(logging.INFO):
        assert [told(path)[0] for path in ("/web-1", "/web-2", "/a")] == [200, 404, 400]
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")
