"""How commands talk: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from typing import NoReturn

import typer
from rich.console import Console

REFUSED = 1
"""Exit status when the fleet said no, or what was wanted could not be done; wrong usage exits 2."""
UNREACHABLE = 3
"""Exit status when the fleet could not be reached."""


def result() -> Console:
    """Where results go. A table that is piped is as wide as it needs, not as some terminal."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, soft_wrap=not sys.stdout.isatty())


def notice(text: str) -> None:
    """A line for the person who is watching."""
    typer.echo(text, err=True)


def fail(text: str, *, status: int = REFUSED) -> NoReturn:
    """End the command with a reason."""
    typer.echo(f"swarmkeeper: {text}", err=True)
    raise typer.Exit(status)


def print_json(value: object) -> None:
    """The machine-readable form of a result."""
    typer.echo(json.dumps(value, indent=2))
