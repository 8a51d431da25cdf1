"""Commands about the containers of a running fleet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from swarmkeeper.cli import explained, listings, output
from swarmkeeper.cli import options as o
from swarmkeeper.cli.api import Api, Refused
from swarmkeeper.cli.finding import find_api
from swarmkeeper.cli.fleet import ContainerView
from swarmkeeper.cli.requests import WrongArgument, create_body
from swarmkeeper.cli.telling import told

PAUSE_S = 0.5
FILTERS = ("state", "node", "label", "name", "tenant")


def run(
    name: o.NewNameArgument,
    image: o.ImageArgument,
    command: o.CommandArgument = None,
    cpus: o.CpusOption = "0",
    memory: o.MemoryOption = "0",
    gpus: o.GpusOption = 0,
    env: o.EnvOption = None,
    label: o.LabelOption = None,
    constraint: o.ConstraintOption = None,
    affinity: o.AffinityOption = None,
    publish: o.PublishOption = None,
    volume: o.VolumeOption = None,
    shared_volume: o.SharedVolumeOption = None,
    volumes_from: o.VolumesFromOption = None,
    link: o.LinkOption = None,
    network: o.NetworkOption = "",
    tenant: o.TenantOption = None,
    movable: o.MovableOption = False,
    expires: o.ExpiresOption = None,
    ttl: o.TtlOption = None,
    idle: o.IdleOption = None,
    idempotency_key: Annotated[
        str, typer.Option(help="Makes this one request however often it is sent; another body under it is refused.")
    ] = "",
    wait: Annotated[float, typer.Option(help="Wait up to this many seconds until it runs.")] = 0.0,
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
    json: o.JsonOption = False,
) -> None:
    """Request a container: it is placed at once, or waits until a node can hold it.

    Exit status: 0 when it is accepted (with --wait: when it runs), 1 when it is refused, 2 for wrong usage, 3 when
    the fleet can't be reached.
    """
    with wrong_usage():
        body = create_body(
            name,
            image,
            cpus=cpus,
            memory=memory,
            gpus=gpus,
            environment=env or (),
            label=label or (),
            constraints=constraint or (),
            affinities=affinity or (),
            publish=publish or (),
            volumes=volume or (),
            shared_volumes=shared_volume or (),
            volumes_from=volumes_from or (),
            links=link or (),
            network=network,
            tenant=tenant,
            lifetime={"expires": expires, "ttl": ttl, "idle": idle},
            movable=movable,
            command=command or (),
        )
    with told():
        there = find_api(fleet, api)
        container = there.create(body, token=idempotency_key)
        if wait:
            container = _until_running(there, container, wait)
    if json:
        output.print_json(container)
    else:
        output.result().print(described(container))
        if container["state"] == "pending" and not wait:
            output.notice(
                "it runs as soon as a node can hold it: see `swarmkeeper ps`, `swarmkeeper nodes`; docs/faq.md"
            )
    if wait and container["state"] != "running":
        output.fail(f"{name} does not run yet after {wait:g} s")


def ps(
    filter_: Annotated[
        list[str] | None,
        typer.Option("--filter", "-f", help="state=, node=, label=, tenant= or name= (a prefix); may be repeated."),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print names only.")] = False,
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
    json: o.JsonOption = False,
) -> None:
    """List the containers."""
    query = [*map(_filter, filter_ or ()), *([("tenant", tenant)] if tenant else [])]
    with told():
        found = sorted(find_api(fleet, api).containers(query), key=lambda each: each["name"])
    if json:
        output.print_json(found)
    elif quiet:
        typer.echo("".join(f"{each['name']}\n" for each in found), nl=False)
    else:
        output.result().print(listings.container_table(found))


def rm(
    names: o.NamesArgument,
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
    json: o.JsonOption = False,
) -> None:
    """Remove containers: all that can be, and the others are named."""
    removed: dict[str, ContainerView] = {}
    refused: list[str] = []
    with told():
        there = find_api(fleet, api)
        for name in names:
            try:
                removed[name] = there.remove(name)
            except Refused as refusal:
                refused.append(f"{name}: {refusal}")
    if json:
        output.print_json({"removed": removed, "refused": refused})
    else:
        typer.echo("".join(f"{name}\n" for name in removed), nl=False)
    if refused:
        output.fail("; ".join(refused))


def logs(
    name: o.NameArgument,
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, max=5000, help="Lines.")] = 100,
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
) -> None:
    """Print the end of a container's output."""
    with told():
        text, is_cut = find_api(fleet, api).logs(name, tail=tail)
    if is_cut:
        output.notice("the output is longer than an answer may be; its beginning is left out")
    sys.stdout.buffer.write(text)
    sys.stdout.flush()


def explain(
    name: o.NewNameArgument,
    image: o.ImageArgument,
    cpus: o.CpusOption = "0",
    memory: o.MemoryOption = "0",
    gpus: o.GpusOption = 0,
    env: o.EnvOption = None,
    label: o.LabelOption = None,
    constraint: o.ConstraintOption = None,
    affinity: o.AffinityOption = None,
    publish: o.PublishOption = None,
    volume: o.VolumeOption = None,
    shared_volume: o.SharedVolumeOption = None,
    volumes_from: o.VolumesFromOption = None,
    link: o.LinkOption = None,
    network: o.NetworkOption = "",
    tenant: o.TenantOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Show every node, not the first of each kind only.")] = False,
    fleet: o.FleetOption = None,
    api: o.ApiOption = None,
    json: o.JsonOption = False,
) -> None:
    """Say where a container would be placed now, and why not elsewhere; nothing is reserved."""
    with wrong_usage():
        body = create_body(
            name,
            image,
            cpus=cpus,
            memory=memory,
            gpus=gpus,
            environment=env or (),
            label=label or (),
            constraints=constraint or (),
            affinities=affinity or (),
            publish=publish or (),
            volumes=volume or (),
            shared_volumes=shared_volume or (),
            volumes_from=volumes_from or (),
            links=link or (),
            network=network,
            tenant=tenant,
        )
    with told():
        decision = find_api(fleet, api).explain(body)
    if json:
        output.print_json(decision)
    else:
        explained.show(decision, output.result(), most=None if all_ else explained.MOST)


def described(container: ContainerView) -> str:
    """One line on a container, for people."""
    where = f" on {container['node']}" if container.get("node") else ""
    why = f" ({container['reason']})" if container.get("reason") else ""
    return f"{container['name']}: {listings.styled(container['state'])}{where}{why}"


@contextmanager
def wrong_usage() -> Iterator[None]:
    """Tell what was typed wrongly as wrong usage."""
    try:
        yield
    except WrongArgument as error:
        raise typer.BadParameter(str(error)) from error


def _filter(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or key not in FILTERS:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(f'{each}=…' for each in FILTERS)}")
    return key, value


def _until_running(api: Api, container: ContainerView, wait_s: float) -> ContainerView:
    deadline = time.monotonic() + wait_s
    while container["state"] != "running" and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        container = api.container(container["name"])
    return container
