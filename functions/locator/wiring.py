"""Builds the locator function's one part: it reads no settings, so that it has little to load and may do little."""

from __future__ import annotations

from collections.abc import Mapping

from swarmkeeper.adapters.aws.clients import AwsClients
from swarmkeeper.adapters.aws.container_places import ContainerPlaces
from swarmkeeper.adapters.aws.dynamo import DynamoTable
from swarmkeeper.errors import InvalidInput

TABLE = "SWARMKEEPER_TABLE"


def build(environ: Mapping[str, str]) -> ContainerPlaces:
    """Raises InvalidInput for a missing variable."""
    name = environ.get(TABLE, "")
    if not name:
        raise InvalidInput(TABLE, "is not set in the function's environment")
    return ContainerPlaces(DynamoTable(AwsClients().dynamodb, name))
