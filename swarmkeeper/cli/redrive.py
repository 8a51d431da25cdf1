"""The command about events that failed for good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from swarmkeeper.cli import options as o
from swarmkeeper.cli import output
from swarmkeeper.cli.dead_letters import MOST, QUEUES, find_dead_letters
from swarmkeeper.cli.fleet import FleetError
from swarmkeeper.edge.dead_letters import DeadLetter, Todo

DONE = {Todo.SEND: "sent again", Todo.DROP: "dropped", Todo.LEAVE: "left"}
Told = tuple[str, DeadLetter]
Visit = Callable[[str, int], Iterable[DeadLetter]]

QueueArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[QUEUE]",
        help=f"Whose: {', '.join(QUEUES)}; all of them if left out.",
        autocompletion=lambda incomplete: [each for each in QUEUES if each.startswith(incomplete)],
    ),
]


def redrive(
    queue: QueueArgument = None,
    look: Annotated[bool, typer.Option("--list", help="Show what lies there and why; send nothing.")] = False,
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=MOST, help="At most so many of each queue.")] = MOST,
    fleet: o.FleetOption = None,
    json: o.JsonOption = False,
) -> None:
    """Send events that failed for good to their functions again; mend first what they failed of.

    Ticks of schedules are dropped, since the next tick has done their work. What is no event stays, and makes the
    command exit 1. It may be cut off and repeated: nothing is deleted before it was taken again.
    """
    if queue is not None and queue not in QUEUES:
        raise typer.BadParameter(f"there are {', '.join(QUEUES)}", param_hint="QUEUE")
    done: list[Told] = []
    trouble = None
    try:
        letters = find_dead_letters(fleet)
        # One by one: what was sent before something failed is told.
        for each in _through(queue, letters.look if look else letters.redrive, most):
            done.append(each)
    except FleetError as error:
        trouble = str(error)
    _tell(done, look=look, json=json)
    if trouble is not None:
        output.fail(trouble, status=output.UNREACHABLE)
    if not look and any(letter.todo is Todo.LEAVE for _, letter in done):
        raise typer.Exit(output.REFUSED)


def _through(queue: str | None, visit: Visit, most: int) -> Iterator[Told]:
    for each in QUEUES if queue is None else (queue,):
        for letter in visit(each, most):
            yield each, letter


def _tell(done: Iterable[Told], *, look: bool, json: bool) -> None:
    rows = [
        {
            "queue": queue,
            "what": letter.what,
            "at": str(letter.event.get("time", "")),
            "why": letter.why,
            "done": "" if look else DONE[letter.todo],
        }
        for queue, letter in done
    ]
    if json:
        output.print_json(rows)
        return
    if not rows:
        output.notice("no event has failed for good: there is nothing to send again")
        return
    table = Table("QUEUE", "EVENT", "TIME", "WHY", *(() if look else ("DONE",)), box=None, pad_edge=False)
    for row in rows:
        shown = [escape(value) for name, value in row.items() if not (look and name == "done")]
        table.add_row(*shown)
    output.result().print(table)
