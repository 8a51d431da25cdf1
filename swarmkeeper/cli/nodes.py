"""Commands about the nodes of a running fleet."""

from __future__ import annotations

import typer

from swarmkeeper.cli import listings, output
from swarmkeeper.cli import options as o
from swarmkeeper.cli.finding import find_api
from swarmkeeper.cli.telling import told

app = typer.Typer(help="List the nodes, have one leave, or let scale-in leave one alone.")


@app.callback(invoke_without_command=True)
def nodes(
    context: typer.Context, fleet: o.FleetOption = None, api: o.ApiOption = None, json: o.JsonOption = False
) -> None:
    """List the nodes, have one leave, or let scale-in leave one alone."""
    if context.invoked_subcommand is not None:
        return
    with told():
        found = find_api(fleet, api).nodes()
    if json:
        output.print_json(found)
    else:
        output.result().print(listings.node_table(found))


@app.command()
def protect(
    node: o.NodeArgument, fleet: o.FleetOption = None, api: o.ApiOption = None, json: o.JsonOption = False
) -> None:
    """Let scale-in leave a node alone, whatever it holds, until it is unprotected."""
    with told():
        found = find_api(fleet, api).protect(node)
    if json:
        output.print_json(found)
    else:
        output.result().print(f"{node} is protected from scale-in")


@app.command()
def unprotect(
    node: o.NodeArgument, fleet: o.FleetOption = None, api: o.ApiOption = None, json: o.JsonOption = False
) -> None:
    """Let scale-in take a node again."""
    with told():
        found = find_api(fleet, api).unprotect(node)
    if json:
        output.print_json(found)
    else:
        output.result().print(f"{node} is no longer protected from scale-in")


@app.command()
def drain(
    node: o.NodeArgument, fleet: o.FleetOption = None, api: o.ApiOption = None, json: o.JsonOption = False
) -> None:
    """Have a worker leave: what it holds is moved or waited for, up to its pool's drain limit."""
    with told():
        found = find_api(fleet, api).drain(node)
    if json:
        output.print_json(found)
    else:
        output.result().print(f"{node} is {found['state']}")


@app.command()
def undrain(
    node: o.NodeArgument, fleet: o.FleetOption = None, api: o.ApiOption = None, json: o.JsonOption = False
) -> None:
    """Let a node that drains serve on."""
    with told():
        found = find_api(fleet, api).undrain(node)
    if json:
        output.print_json(found)
    else:
        output.result().print(f"{node} is {found['state']}")
