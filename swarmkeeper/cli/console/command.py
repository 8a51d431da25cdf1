"""`swarmkeeper console`."""

from __future__ import annotations

import threading
import webbrowser
from typing import Annotated

import typer

from swarmkeeper.cli import options as o
from swarmkeeper.cli import output
from swarmkeeper.cli.finding import find_api
from swarmkeeper.cli.telling import told


def console(
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on this machine; 0: a free one.")] = 0,
    every: Annotated[
        float, typer.Option(min=1.0, help="Seconds between two looks at the fleet; each reads all containers.")
    ] = 5.0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in a browser.")] = True,
) -> None:
    """Show the fleet in a browser, live: nodes, containers, what waits and why, scaling decisions; Ctrl-C ends it."""
    from swarmkeeper.cli.console.server import serving  # here: no other command needs it

    with told():
        found = find_api(fleet, api)
        found.nodes()  # an address or credentials that are wrong are told here, not in the browser
    try:
        with serving(found, port=port, every_s=every) as site:
            output.notice("The address lets whoever has it act on the fleet as you; it ends with this command.")
            typer.echo(site.url)
            if browser:
                webbrowser.open(site.url)
            threading.Event().wait()
    except OSError as error:
        output.fail(f"port {port}: {error.strerror or error}")
    except KeyboardInterrupt:
        return
