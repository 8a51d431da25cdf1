"""Commands about the fleet's table: make it anew, compare it with what lives."""

from __future__ import annotations

from collections import Counter

import typer
from rich.markup import escape
from rich.table import Table

from swarmkeeper.cli import options as o
from swarmkeeper.cli import output
from swarmkeeper.cli.fleet import Fleet, FleetError, RebuiltNode, find_fleet

LOST = "What only waited, for a node or for its image, is not on any engine: have it asked for again."

app = typer.Typer(no_args_is_help=True, help="What the fleet's table says, and where it comes from.")


@app.command()
def rebuild(fleet: o.FleetOption = None, json: o.JsonOption = False) -> None:
    """Make the table anew from the instances, the Swarm and the engines; what is there already stays.

    Nothing is removed, and it may be repeated. Exits 1 when something of what was found could not be recorded.
    """
    try:
        found = _rebuilt(find_fleet(fleet))
    except FleetError as error:
        output.fail(str(error), status=output.UNREACHABLE)
    if json:
        output.print_json({"nodes": found, "lost": LOST, **_counted(found)})
    else:
        output.result().print(_table(found))
        output.notice(LOST)
    if any(each in ("strange", "duplicate") for each in _findings(found)):
        raise typer.Exit(output.REFUSED)


@app.command()
def reconcile(fleet: o.FleetOption = None, json: o.JsonOption = False) -> None:
    """Look for differences between table, Swarm, engines and groups now, as is done each minute, and have them healed.

    Every engine is compared with the table, and not only those whose turn it is. What is found is looked at again by
    its owners after the command has ended: run it once more to see what is left.
    """
    try:
        answer = find_fleet(fleet).reconcile()
    except FleetError as error:
        output.fail(str(error), status=output.UNREACHABLE)
    if json:
        output.print_json(answer)
        return
    if answer["differences"]:
        table = Table("DIFFERENCE", "WHERE", box=None, pad_edge=False)
        for difference, where in answer["differences"].items():
            table.add_row(difference, " ".join(where))
        output.result().print(table)
    output.notice(
        f"{len(answer['checked_nodes'])} nodes and {len(answer['retried_containers'])} containers are looked at again, "
        f"{len(answer['compared_engines'])} engines compared with the table"
    )


def _rebuilt(fleet: Fleet) -> list[RebuiltNode]:
    """All shards, one call after the other."""
    found: list[RebuiltNode] = []
    after = ""
    while True:
        answer = fleet.rebuild(after)
        found += answer["nodes"]
        after = answer["follows"]
        if not after:
            return found
        output.notice(f"{len(found)} nodes so far")


def _findings(found: list[RebuiltNode]) -> list[str]:
    return [each for node in found for each in (node["found"], *(one["found"] for one in node["containers"]))]


def _counted(found: list[RebuiltNode]) -> dict[str, dict[str, int]]:
    containers = (one["found"] for node in found for one in node["containers"])
    return {
        "counted_nodes": dict(Counter(node["found"] for node in found)),
        "counted_containers": dict(Counter(containers)),
    }


def _table(found: list[RebuiltNode]) -> Table:
    """One row a node, and one for each of its containers about which there is something to tell."""
    table = Table("NODE", "CONTAINER", "FOUND", "DETAIL", box=None, pad_edge=False)
    for node in found:
        counts = Counter(one["found"] for one in node["containers"])
        containers = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        table.add_row(node["id"], containers, node["found"], escape(node["detail"]))
        for one in node["containers"]:
            if one["detail"] or one["found"] in ("strange", "duplicate"):
                table.add_row("", one["name"], one["found"], escape(one["detail"]))
    return table
