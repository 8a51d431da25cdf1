"""Asks AWS for a command: what it refuses is a FleetError, and what may pass by itself one of a kind of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swarmkeeper.cli.fleet import FleetError


class Passing(FleetError):
    """AWS was throttling, not reached, or had a fault of its own: asking again may help."""


def asked(call: Callable[[], Any]) -> Any:
    """What the call answers. Raises FleetError, Passing where it may help to ask again."""
    from botocore.exceptions import BotoCoreError, ClientError  # here, so that help doesn't wait for it

    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        kind = Passing if _may_pass(error) else FleetError
        raise kind(str(error)) from error


def _may_pass(error: Exception) -> bool:
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    from swarmkeeper.adapters.aws.errors import SERVER_ERROR, THROTTLING, code_of

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= SERVER_ERROR or code_of(error) in THROTTLING
    return isinstance(error, ConnectionError | HTTPClientError)
