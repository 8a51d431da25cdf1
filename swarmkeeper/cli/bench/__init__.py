"""swarmkeeper bench: measures on this machine what docs/performance.md states. Each command is a module."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "expressions": ("expressions", "expressions"),
    "placement": ("placement", "placement"),
    "place-many": ("placement", "place_many"),
    "contention": ("contention", "contention"),
    "fleet": ("fleet", "fleet"),
    "reconcile": ("reconcile", "reconcile"),
    "create": ("create", "create"),
    "overlay": ("overlay", "overlay"),
    "networks": ("networks", "networks"),
    "router": ("router", "router"),
    "handing-on": ("handing_on", "handing_on"),
    "scaling": ("scaling", "scaling"),
    "coldstart": ("coldstart", "coldstart"),
}
"""The module and function of each command."""


class Measurements(TyperGroup):
    """Commands that are imported when they are asked for, since some need the engines' and AWS's libraries."""

    def list_commands(self, ctx: object) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:
        """The command of this name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name]
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(getattr(import_module(f"{__name__}.{module}"), function))
        return cast(TyperCommand, typer.main.get_command(alone))


app = typer.Typer(name="bench", cls=Measurements, no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure what Swarmkeeper's parts take on this machine."""
