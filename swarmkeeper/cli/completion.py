"""Completes names by asking the fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from swarmkeeper.cli.api import Api

LIMIT_S = 2.0
"""A shell that waits longer for a completion feels broken."""
MOST = 50


def container_names(context: typer.Context, incomplete: str) -> list[str]:
    """Names that begin so; none when the fleet can't be asked."""
    return _asked(context, lambda api: (each["name"] for each in api.containers([("name", incomplete)])))


def node_names(context: typer.Context, incomplete: str) -> list[str]:
    """Nodes whose ids begin so."""
    return _beginning(incomplete, _asked(context, lambda api: (each["id"] for each in api.nodes())))


def pool_names(context: typer.Context, incomplete: str) -> list[str]:
    """Pools that have nodes."""
    return _beginning(incomplete, _asked(context, lambda api: sorted({each["pool"] for each in api.nodes()})))


def decision_names(context: typer.Context, incomplete: str) -> list[str]:
    """The newest scaling decisions' ids."""
    newest = _asked(context, lambda api: (each["id"] for each in api.decisions(pool=None, since=0.0, most=MOST)))
    return _beginning(incomplete, newest)


def _asked(context: typer.Context, question: Callable[[Api], Iterable[str]]) -> list[str]:
    from swarmkeeper.cli.finding import find_api

    try:
        api = find_api(context.params.get("fleet"), context.params.get("api"), timeout_s=LIMIT_S)
        return list(islice(question(api), MOST))
    except Exception:  # noqa: BLE001  whatever it is, a traceback in the middle of a command line helps nobody
        return []


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
