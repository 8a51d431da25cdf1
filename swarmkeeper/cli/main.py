"""The swarmkeeper command."""

from __future__ import annotations

import typer

from swarmkeeper import __version__
from swarmkeeper.cli import (
    bench,
    chaos,
    containers,
    demo_command,
    local_cloud,
    managers,
    node_image,
    nodes,
    place,
    redrive,
    scaling,
    simulate,
    state,
    tokens,
)
from swarmkeeper.cli.console import command as console_command
from swarmkeeper.cli.images import command as images_command

app = typer.Typer(
    name="swarmkeeper",
    help="Keeps a fleet of Docker engines on AWS the right size and places containers on it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.add_typer(local_cloud.app, name="local")
app.add_typer(bench.app, name="bench")
app.add_typer(nodes.app, name="nodes")
app.add_typer(node_image.app, name="node-image")
app.add_typer(scaling.app, name="scaling")
app.add_typer(managers.app, name="managers")
app.add_typer(tokens.app, name="tokens")
app.add_typer(state.app, name="state")
app.add_typer(images_command.app, name="images")
app.command("demo")(demo_command.demo)
app.command("chaos")(chaos.chaos)
app.command("run")(containers.run)
app.command("ps")(containers.ps)
app.command("rm")(containers.rm)
app.command("logs")(containers.logs)
app.command("explain")(containers.explain)
app.command("console")(console_command.console)
app.command("place")(place.place)
app.command("redrive")(redrive.redrive)
app.command("simulate")(simulate.simulate)


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
