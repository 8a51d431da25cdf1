"""Join tokens as SecureString parameters, one a role, so that a node's own role opens only its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from swarmkeeper.adapters.aws.errors import aws_errors
from swarmkeeper.domain.model import Role

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class _Key(TypedDict, total=False):
    KeyId: str


class TokenParameters:
    """JoinTokens in Systems Manager's Parameter Store, under `/<fleet>/join-token/<role>`.

    They are encrypted with the KMS key that `key` names, "" for AWS's own of the account.
    """

    def __init__(self, client: SSMClient, fleet: str, *, key: str = "") -> None:
        self._client = client
        self._fleet = fleet
        self._key: _Key = {"KeyId": key} if key else {}

    def publish(self, tokens: Mapping[Role, str]) -> None:
        for role, token in tokens.items():
            with aws_errors():
                self._client.put_parameter(
                    Name=f"/{self._fleet}/join-token/{role}",
                    Value=token,
                    Type="SecureString",
                    Overwrite=True,
                    **self._key,
                )
