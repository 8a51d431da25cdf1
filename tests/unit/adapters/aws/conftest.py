"""An empty AWS account in this process."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from tests.fakes.aws import aws_account


@pytest.fixture
def session() -> Iterator[boto3.session.Session]:
    with aws_account() as account:
        yield account
