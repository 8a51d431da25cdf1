"""Commands about the Swarm's managers, for when all of them are lost."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmkeeper.cli import options as o
from swarmkeeper.cli import output
from swarmkeeper.cli.fleet import FleetError, find_fleet

app = typer.Typer(no_args_is_help=True, help="What is left to do by hand about the Swarm's managers.")


@app.callback()
def managers() -> None:
    """Keep `recover` a command of its own, though it is the only one."""


@app.command()
def recover(
    pool: Annotated[str, typer.Argument(help="The pool, with retain_state, whose slot has the state to go on with.")],
    fleet: o.FleetOption = None,
    json: o.JsonOption = False,
) -> None:
    """All managers are lost: have the next one in this pool's slot go on with the state that is kept there.

    It leads a Swarm of one manager with all nodes, networks and tokens of before. Refused while another manager may
    live, and exits 1 then. The order is given once: a later loss needs one of its own.
    """
    try:
        answer = find_fleet(fleet).recover(pool)
    except FleetError as error:
        output.fail(str(error), status=output.UNREACHABLE)
    if json:
        output.print_json(answer)
    if answer["refused"]:
        output.fail(answer["refused"], status=output.REFUSED)
    if not json:
        who = f"{answer['node']} recovers" if answer["node"] else "the next instance there recovers"
        output.result().print(f"ordered: {who} the Swarm from what pool {pool} has kept")
