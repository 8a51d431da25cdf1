"""moto's account in this process: the fleet's table with its schema, written once for all tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler

from swarmkeeper.adapters.aws.table_definition import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "eu-central-1"
TABLE = "demo-state"
CREDENTIALS = {
    # Long on purpose: moto masks short credentials wherever they occur inside ids.
    "AWS_ACCESS_KEY_ID": "AKIATESTSTESTSTESTSTESTS",
    "AWS_SECRET_ACCESS_KEY": "a-secret-access-key-of-the-tests-that-opens-nothing",
    "AWS_DEFAULT_REGION": REGION,
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}


@contextmanager
def aws_account() -> Iterator[boto3.session.Session]:
    """An empty account while the block runs. Each DynamoDB request is atomic, which moto alone doesn't keep."""
    with patch.dict("os.environ", CREDENTIALS), _atomic_dynamodb(), mock_aws():
        yield boto3.session.Session(region_name=REGION)


def create_state_table(client: DynamoDBClient, name: str = TABLE) -> None:
    """The table as the template declares it."""
    create_table(client, name)


@contextmanager
def _atomic_dynamodb() -> Iterator[None]:
    lock = threading.RLock()
    unlocked = DynamoHandler.call_action

    def call_action(handler: DynamoHandler) -> object:
        with lock:
            return unlocked(handler)

    with patch.object(DynamoHandler, "call_action", call_action):
        yield
