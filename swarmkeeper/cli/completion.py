"""Completes names by asking the fleet."""

from __future__ import annotations

import typer

LIMIT_S = 2.0
"""A shell that waits longer for a completion feels broken."""
MOST = 50


def container_names(context: typer.Context, incomplete: str) -> list[str]:
    """Names that begin so; none when the fleet can't be asked."""
    from itertools import islice

    from swarmkeeper.cli.finding import find_api

    try:
        api = find_api(context.params.get("fleet"), context.params.get("api"), timeout_s=LIMIT_S)
        return [each["name"] for each in islice(api.containers([("name", incomplete)]), MOST)]
    except Exception:  # noqa: BLE001  whatever it is, a traceback in the middle of a command line helps nobody
        return []
