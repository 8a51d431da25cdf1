"""Commands about the Swarm's join tokens; what the tokens are is told to nobody."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from swarmkeeper.cli import options as o
from swarmkeeper.cli import output
from swarmkeeper.cli.api import Api
from swarmkeeper.cli.finding import find_api
from swarmkeeper.cli.telling import told

app = typer.Typer(help="Tell when the join tokens were made, or have new ones made.")
PAUSE_S = 1.0


@app.callback(invoke_without_command=True)
def tokens(
    context: typer.Context, fleet: o.FleetOption = None, api: o.ApiOption = None, json: o.JsonOption = False
) -> None:
    """Tell when the join tokens were made, or have new ones made."""
    if context.invoked_subcommand is None:
        with told():
            _show(find_api(fleet, api).tokens(), json=json)


@app.command()
def rotate(
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait until the new ones are in place.")] = 120,
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
    json: o.JsonOption = False,
) -> None:
    """Have the Swarm make new join tokens: those of before let nobody in any more, members stay."""
    with told():
        there = find_api(fleet, api)
        asked = there.rotate_tokens()
        found = _settled(there, asked, wait) if wait else asked
    _show(found, json=json)
    if wait and found["under_way"]:
        output.fail(f"not rotated within {wait} s; it goes on: look again with `swarmkeeper tokens`")


def _settled(there: Api, found: dict[str, Any], wait_s: float) -> dict[str, Any]:
    """How the tokens stand once the rotation has ended, or the time is up."""
    deadline = time.monotonic() + wait_s
    output.notice("waiting for the new tokens")
    while found["under_way"] and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        found = there.tokens()
    return found


def _show(found: dict[str, Any], *, json: bool) -> None:
    if json:
        output.print_json(found)
        return
    when = found["rotated_at"]
    said = "not yet" if when is None else datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    more = "; new ones are on their way" if found["under_way"] else ""
    output.result().print(f"rotated: {said}{more}")
