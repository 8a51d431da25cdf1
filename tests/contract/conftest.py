"""Every StateStore that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.ports import StateStore
from tests.fakes.aws import TABLE, aws_account, create_state_table
from tests.fakes.store import FakeStateStore


@pytest.fixture
def dynamo_store() -> Iterator[DynamoStore]:
    with aws_account() as session:
        client = session.client("dynamodb")
        create_state_table(client)
        yield DynamoStore(client, TABLE)


@pytest.fixture(params=["in memory", "DynamoDB"])
def store(request: pytest.FixtureRequest) -> StateStore:
    made: Callable[[], StateStore] = {
        "in memory": FakeStateStore,
        "DynamoDB": lambda: request.getfixturevalue("dynamo_store"),
    }[request.param]
    return made()
