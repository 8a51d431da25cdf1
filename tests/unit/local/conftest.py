"""An AWS account for a test, and one with functions in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws.server import AwsServer
from tests.unit.local.wiring import Account


@pytest.fixture
def server() -> Iterator[AwsServer]:
    """An empty account."""
    with AwsServer() as one:
        yield one


@pytest.fixture
def account(server: AwsServer, tmp_path: Path) -> Iterator[Account]:
    """An account whose events come at once, and once."""
    one = Account(server, tmp_path)
    yield one
    one.stop()
