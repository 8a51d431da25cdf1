"""What DynamoDB answers under load, which moto never does: conflicts, throttling, half-answered batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from swarmkeeper.adapters.aws.container_items import container_item
from swarmkeeper.adapters.aws.dynamo import PATIENCE, UNPROCESSED_ROUNDS, DynamoTable
from swarmkeeper.adapters.aws.items import KIND_NODE, UNSETTLED_SHARDS, key, node_key, text
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.adapters.aws.writes import Terms, put
from swarmkeeper.domain.model import Container, ContainerState, NodeId
from swarmkeeper.errors import Contention, InvalidInput, InvariantBroken, SwarmkeeperError, Unavailable
from tests.fakes.aws import TABLE, create_state_table
from tests.fakes.builders import a_limit, a_node, a_request

CONTAINER = Container(a_request(), ContainerState.RUNNING, 1.0, node=NodeId("i-0a"))


class Stubbed:
    """A store whose client answers from a list; `pauses` holds what it waited."""

    def __init__(self, client: Any) -> None:
        self.answers = Stubber(client)
        self.pauses: list[float] = []
        self.store = DynamoStore(client, TABLE)
        self.store.table = DynamoTable(client, TABLE, pause=self.pauses.append, jitter=lambda: 1.0)

    def cancel(self, *codes: str, message: str = "") -> None:
        """Cancel the next transaction for these reasons."""
        reasons = [{"Code": code, "Message": message} for code in codes]
        self.answers.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields={"CancellationReasons": reasons},
        )


@pytest.fixture
def stubbed() -> Iterator[Stubbed]:
    made = Stubbed(boto3.session.Session("key-of-the-tests", "secret", region_name="eu-central-1").client("dynamodb"))
    with made.answers:
        yield made
        made.answers.assert_no_pending_responses()


def reserve(store: DynamoStore) -> Container:
    return store.reserve(a_request(), a_node(), a_limit(a_node(), a_request()), now=1.0)


@pytest.mark.parametrize(
    ("codes", "message", "expected"),
    [
        pytest.param(["TransactionConflict", "None", "None"], "", Contention, id="conflict"),
        pytest.param(["None", "ThrottlingError", "None"], "", Unavailable, id="throttled"),
        pytest.param(["ValidationError", "None", "None"], "bad", InvariantBroken, id="bug"),
        pytest.param(["ValidationError", "None"], "Item size has exceeded the limit", InvalidInput, id="too large"),
    ],
)
def test_a_cancelled_reservation_says_why(
    stubbed: Stubbed, codes: list[str], message: str, expected: type[SwarmkeeperError]
) -> None:
    stubbed.cancel(*codes, message=message)
    with pytest.raises(expected):
        reserve(stubbed.store)
    assert stubbed.pauses == []


def test_a_reservation_is_not_repeated_by_the_store_because_its_decision_may_be_stale(stubbed: Stubbed) -> None:
    stubbed.cancel("None", "TransactionConflict", "None")
    with pytest.raises(Contention):
        reserve(stubbed.store)


def test_a_release_comes_through_when_the_other_writer_has_gone(stubbed: Stubbed) -> None:
    stubbed.cancel("None", "TransactionConflict", "None")
    stubbed.cancel("TransactionConflict", "None", "None")
    stubbed.answers.add_response("transact_write_items", {})
    stubbed.store.release(CONTAINER)
    assert stubbed.pauses == pytest.approx([0.04, 0.08])


def test_a_release_gives_up_in_the_end(stubbed: Stubbed) -> None:
    for _ in range(PATIENCE):
        stubbed.cancel("None", "TransactionConflict", "None")
    with pytest.raises(Contention):
        stubbed.store.release(CONTAINER)


def test_a_single_write_waits_for_a_transaction_to_end(stubbed: Stubbed) -> None:
    stubbed.answers.add_client_error("put_item", "TransactionConflictException", http_status_code=400)
    stubbed.answers.add_response("put_item", {})
    stubbed.store.explain(CONTAINER, reason="why")
    assert len(stubbed.pauses) == 1


def test_every_call_has_a_token_of_its_own(stubbed: Stubbed) -> None:
    seen: list[str] = []
    stubbed.store.table.client.meta.events.register(
        "before-parameter-build.dynamodb.TransactWriteItems",
        lambda params, **_: seen.append(params["ClientRequestToken"]),
    )
    for _ in range(2):
        stubbed.answers.add_response("transact_write_items", {}, {"TransactItems": ANY, "ClientRequestToken": ANY})
        stubbed.store.release(CONTAINER)
    assert len(set(seen)) == 2


def test_keys_left_unread_are_read_in_another_round(stubbed: Stubbed) -> None:
    first, second = node_key(NodeId("i-0a")), node_key(NodeId("i-0b"))
    stubbed.answers.add_response(
        "batch_get_item",
        {"Responses": {TABLE: [first]}, "UnprocessedKeys": {TABLE: {"Keys": [second], "ConsistentRead": True}}},
    )
    stubbed.answers.add_response(
        "batch_get_item",
        {"Responses": {TABLE: [second]}, "UnprocessedKeys": {}},
        {"RequestItems": {TABLE: {"Keys": [second], "ConsistentRead": True}}},
    )
    assert stubbed.store.table.get_all([first, second]) == [first, second]
    assert len(stubbed.pauses) == 1


def test_keys_that_stay_unread_are_not_passed_over(stubbed: Stubbed) -> None:
    one = node_key(NodeId("i-0a"))
    for _ in range(UNPROCESSED_ROUNDS):
        stubbed.answers.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": {TABLE: {"Keys": [one]}}})
    with pytest.raises(Unavailable):
        stubbed.store.table.get_all([one])


def test_more_keys_than_a_batch_holds_are_all_read(session: boto3.session.Session) -> None:
    client = session.client("dynamodb")
    create_state_table(client)
    table = DynamoTable(client, TABLE)
    keys = [key(f"X#{number}") for number in range(205)]
    for each in keys:
        table.write(put({**each, "value": text("v")}, Terms()))
    assert len(table.get_all(keys)) == len(table.scan("X#")) == 205


def test_a_tombstone_leaves_the_index_and_expires_by_whole_seconds(session: boto3.session.Session) -> None:
    client = session.client("dynamodb")
    create_state_table(client)
    store = DynamoStore(client, TABLE)
    store.add_node(a_node())
    store.bury_node(a_node(), expires_at=1_700_000_000.25)
    assert store.table.keys_of_kind(KIND_NODE) == []
    stored = store.table.get(node_key(a_node().id))
    assert stored is not None
    assert stored["expires_at"] == {"N": "1700000001"}


def test_a_reservation_writes_no_index_entry_but_its_own(session: boto3.session.Session) -> None:
    client = session.client("dynamodb")
    create_state_table(client)
    store = DynamoStore(client, TABLE)
    store.add_node(a_node())
    [before] = store.table.keys_of_kind(KIND_NODE)
    reserve(store)
    entries = {item["pk"]["S"]: item["kind"]["S"] for item in store.table.scan("") if "kind" in item}
    assert entries.keys() == {"NODE#i-0a", "CONTAINER#web-1"}
    assert (entries["NODE#i-0a"], [before]) == (KIND_NODE, store.table.keys_of_kind(KIND_NODE))


def test_reservations_share_no_key_of_the_index() -> None:
    made = (Container(a_request(f"web-{n}"), ContainerState.RESERVED, 1.0, lease_until=2.0) for n in range(200))
    kinds = Counter(container_item(each)["kind"]["S"] for each in made)
    assert len(kinds) == UNSETTLED_SHARDS
    assert max(kinds.values()) < 40
