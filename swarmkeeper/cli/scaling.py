"""Commands about why the pools are as large as they are."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from swarmkeeper.cli import decisions, output
from swarmkeeper.cli import options as o
from swarmkeeper.cli.finding import find_api
from swarmkeeper.cli.telling import told

app = typer.Typer(no_args_is_help=True, help="What was decided about the pools' sizes, and why.")


def _seconds(text: str) -> float:
    from swarmkeeper.edge.quantities import parse_duration  # here, so that help and completion don't wait for it

    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def history(
    pool: o.PoolOption = None,
    since: Annotated[str, typer.Option(help="How far to look back, such as 30m or 48h; 30 days are kept.")] = "24h",
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=10_000, help="Show the newest so many.")] = 50,
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
    json: o.JsonOption = False,
) -> None:
    """List scaling decisions, the newest first.

    What changed nothing, and was decided the same just before, is kept once an hour.
    """
    begin = time.time() - _seconds(since)
    with told():
        found = list(find_api(fleet, api).decisions(pool=pool, since=begin, most=most))
    if json:
        output.print_json(found)
    else:
        output.result().print(decisions.table(found))


@app.command()
def explain(
    decision: o.DecisionArgument = None,
    pool: o.PoolOption = None,
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
    json: o.JsonOption = False,
) -> None:
    """Say why a pool's size was decided so: who asked, what was seen, what was wished and what capped it."""
    if decision is not None and pool is not None:
        raise typer.BadParameter("an id names its pool already", param_hint="--pool")
    with told():
        there = find_api(fleet, api)
        wanted = decision or next((each["id"] for each in there.decisions(pool=pool, since=0.0, most=1)), None)
        found = there.decision(wanted) if wanted else None
    if found is None:
        output.fail(f"nothing was decided{f' about {pool}' if pool else ''} in the last 30 days")
    if json:
        output.print_json(found)
    else:
        decisions.show(found, output.result())
