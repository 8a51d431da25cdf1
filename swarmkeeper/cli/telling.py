"""How commands end when the fleet says no, or can't be reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from swarmkeeper.cli import output
from swarmkeeper.cli.api import ApiError, Refused


@contextmanager
def told() -> Iterator[None]:
    """End the command with what the fleet said, or that it can't be reached."""
    try:
        yield
    except Refused as refusal:
        output.fail(str(refusal))
    except ApiError as error:
        output.fail(str(error), status=output.UNREACHABLE)
