"""Commands about containers and nodes of a running fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated

import typer

from swarmkeeper.cli import listings, output
from swarmkeeper.cli.fleet import Answer, ContainerView, Fleet, FleetError, find_fleet
from swarmkeeper.cli.requests import WrongArgument, create_body

FleetOption = Annotated[
    str | None, typer.Option("--fleet", help="The fleet's name; the local cloud's when it is left out.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CpusOption = Annotated[str, typer.Option(help="CPUs to reserve, e.g. 0.5 or 500m.")]
MemoryOption = Annotated[str, typer.Option(help="Memory to reserve, e.g. 256MiB.")]
EnvOption = Annotated[list[str] | None, typer.Option("--env", "-e", help="KEY=VALUE; may be repeated.")]
LabelOption = Annotated[list[str] | None, typer.Option("--label", "-l", help="KEY=VALUE; may be repeated.")]
ConstraintOption = Annotated[
    list[str] | None, typer.Option("--constraint", help="e.g. pool==workers or zone!=a; may be repeated.")
]
MovableOption = Annotated[bool, typer.Option("--movable", help="May be moved to another node when its node leaves.")]
NameArgument = Annotated[str, typer.Argument(help="The container's name, unique in the fleet.")]
ImageArgument = Annotated[str, typer.Argument(help="The image's reference.")]
CommandArgument = Annotated[list[str] | None, typer.Argument(help="Its command, instead of the image's own.")]

PAUSE_S = 0.5
ENDED = frozenset({200, 201, 202, 204})


def run(
    name: NameArgument,
    image: ImageArgument,
    command: CommandArgument = None,
    cpus: CpusOption = "0",
    memory: MemoryOption = "0",
    env: EnvOption = None,
    label: LabelOption = None,
    constraint: ConstraintOption = None,
    movable: MovableOption = False,
    wait: Annotated[float, typer.Option(help="Wait up to this many seconds until it runs.")] = 0.0,
    fleet: FleetOption = None,
    json: JsonOption = False,
) -> None:
    """Request a container: it is placed at once, or waits until a node can hold it."""
    there = _fleet(fleet)
    body = _body(name, image, cpus, memory, env, label, constraint, movable, command)
    container = _accepted(_asked(partial(there.create, body)))["container"]
    if wait:
        container = _until_running(there, container, wait)
    if json:
        output.print_json(container)
    else:
        output.result().print(described(container))
    if wait and container["state"] != "running":
        output.fail(f"{name} does not run yet after {wait:g} s")


def ps(fleet: FleetOption = None, json: JsonOption = False) -> None:
    """List the containers."""
    containers = _listed(_fleet(fleet)).get("containers", [])
    if json:
        output.print_json(containers)
    else:
        output.result().print(listings.container_table(containers))


def nodes(fleet: FleetOption = None, json: JsonOption = False) -> None:
    """List the nodes."""
    found = _listed(_fleet(fleet)).get("nodes", [])
    if json:
        output.print_json(found)
    else:
        output.result().print(listings.node_table(found))


def rm(
    names: Annotated[list[str], typer.Argument(help="The containers' names.")],
    fleet: FleetOption = None,
    json: JsonOption = False,
) -> None:
    """Remove containers."""
    there = _fleet(fleet)
    answers = {name: _asked(partial(there.remove, name)) for name in names}
    if json:
        output.print_json(answers)
    refused = [name for name, answer in answers.items() if answer["status"] not in ENDED]
    for name in names:
        if name not in refused and not json:
            output.result().print(name)
    if refused:
        output.fail("; ".join(f"{name}: {_problem(answers[name])}" for name in refused))


def explain(
    name: NameArgument,
    image: ImageArgument,
    cpus: CpusOption = "0",
    memory: MemoryOption = "0",
    env: EnvOption = None,
    label: LabelOption = None,
    constraint: ConstraintOption = None,
    fleet: FleetOption = None,
    json: JsonOption = False,
) -> None:
    """Say where a container would be placed now, and why not elsewhere; nothing is reserved."""
    there = _fleet(fleet)
    body = _body(name, image, cpus, memory, env, label, constraint, False, None)
    decision = _accepted(_asked(partial(there.explain, body)))["decision"]
    if json:
        output.print_json(decision)
    else:
        output.result().print(str(decision.get("text", "")), markup=False)


def described(container: ContainerView) -> str:
    """One line on a container, for people."""
    where = f" on {container['node']}" if container.get("node") else ""
    why = f" ({container['reason']})" if container.get("reason") else ""
    return f"{container['name']}: {listings.styled(container['state'])}{where}{why}"


def _body(
    name: str,
    image: str,
    cpus: str,
    memory: str,
    env: list[str] | None,
    label: list[str] | None,
    constraint: list[str] | None,
    movable: bool,
    command: list[str] | None,
) -> Mapping[str, object]:
    try:
        return create_body(
            name,
            image,
            cpus=cpus,
            memory=memory,
            environment=env or (),
            label=label or (),
            constraints=constraint or (),
            movable=movable,
            command=command or (),
        )
    except WrongArgument as error:
        raise typer.BadParameter(str(error)) from error


def _fleet(name: str | None) -> Fleet:
    try:
        return find_fleet(name)
    except FleetError as error:
        output.fail(str(error))


def _asked(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except FleetError as error:
        output.fail(str(error))


def _accepted(answer: Answer) -> Answer:
    if answer["status"] not in ENDED:
        output.fail(_problem(answer))
    return answer


def _problem(answer: Answer) -> str:
    problem = answer.get("error", {})
    field = f"{problem['field']}: " if problem.get("field") else ""
    return f"{field}{problem.get('message', 'refused')} ({answer['status']})"


def _listed(fleet: Fleet) -> Answer:
    return _accepted(_asked(fleet.list))


def _until_running(fleet: Fleet, container: ContainerView, wait_s: float) -> ContainerView:
    deadline = time.monotonic() + wait_s
    while container["state"] != "running" and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        found = [one for one in _listed(fleet).get("containers", []) if one["name"] == container["name"]]
        if not found:
            output.fail(f"{container['name']} was removed meanwhile")
        container = found[0]
    return container
