"""The fleet's secrets; the template makes them empty, the registrar gives them their values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from swarmkeeper.adapters.aws.errors import aws_errors, code_of
from swarmkeeper.errors import InvariantBroken, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class FleetSecrets:
    """JSON secrets of one fleet by their name without the fleet, e.g. `ca`, `client/placement`."""

    def __init__(self, client: SecretsManagerClient, fleet: str) -> None:
        self._client = client
        self._fleet = fleet

    def find(self, name: str) -> Mapping[str, str] | None:
        """The secret's value, None while it has none."""
        with aws_errors():
            try:
                text = self._client.get_secret_value(SecretId=self._id(name))["SecretString"]
            except ClientError as error:
                # An empty secret answers as a missing one does.
                if code_of(error) == "ResourceNotFoundException":
                    return None
                raise
        return _strings(self._id(name), text)

    def get(self, name: str) -> Mapping[str, str]:
        """The secret's value. Raises Unavailable while it has none."""
        value = self.find(name)
        if value is None:
            raise Unavailable(f"the secret {self._id(name)} has no value yet")
        return value

    def put(self, name: str, value: Mapping[str, str]) -> None:
        """Make this the current value; the one before stays readable as AWSPREVIOUS."""
        with aws_errors():
            self._client.put_secret_value(SecretId=self._id(name), SecretString=json.dumps(dict(value)))

    def _id(self, name: str) -> str:
        return f"{self._fleet}/{name}"


def _strings(secret: str, text: str) -> Mapping[str, str]:
    try:
        value = json.loads(text)
    except ValueError:
        # Not chained: the decoder's error carries the secret's text.
        raise InvariantBroken(f"the secret {secret} is not JSON") from None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise InvariantBroken(f"the secret {secret} is not an object of strings")
    return value
