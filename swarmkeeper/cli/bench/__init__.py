"""swarmkeeper bench: measures on this machine what docs/performance.md states. Each command is a module."""

from __future__ import annotations

import typer

from swarmkeeper.cli.bench import contention, create, expressions, fleet, overlay, placement, reconcile, scaling

app = typer.Typer(
    name="bench",
    help="Measure what Swarmkeeper's parts take on this machine.",
    no_args_is_help=True,
)
app.command("expressions")(expressions.expressions)
app.command("placement")(placement.placement)
app.command("place-many")(placement.place_many)
app.command("contention")(contention.contention)
app.command("fleet")(fleet.fleet)
app.command("reconcile")(reconcile.reconcile)
app.command("create")(create.create)
app.command("overlay")(overlay.overlay)
app.command("scaling")(scaling.scaling)
