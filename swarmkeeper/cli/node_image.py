"""Commands that make a pool's machine image and roll it out; pipeline/ansible/ calls them in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from swarmkeeper.cli import options as o
from swarmkeeper.cli import output
from swarmkeeper.cli.fleet import FleetError
from swarmkeeper.cli.node_images import find_node_images
from swarmkeeper.cli.node_refresh import SUCCESSFUL, Pace

app = typer.Typer(help="Make a pool's machine image and replace its nodes by such as have it.", no_args_is_help=True)

PoolArgument = Annotated[str, typer.Argument(help="The pool.")]
InstanceArgument = Annotated[str, typer.Argument(help="The builder's instance id.")]
ImageIdArgument = Annotated[str, typer.Argument(metavar="IMAGE", help="The image's id, ami-...")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Seconds to wait at the most.")]


@app.command("find")
def find(
    pool: PoolArgument,
    name: Annotated[str, typer.Option(help="The image's name.")],
    limit: LimitOption = 1800,
    fleet: o.FleetOption = None,
) -> None:
    """Tell the id of the image of that name, once it can be used; an empty one where there is none.

    Fails when it could not be made: deregister it first.
    """
    with _told():
        output.print_json({"image": find_node_images(fleet, pool).usable_image_named(name, limit) or ""})


@app.command("build")
def build(
    pool: PoolArgument,
    name: Annotated[str, typer.Option(help="The builder's name; one that runs already is taken.")],
    base: Annotated[str | None, typer.Option(help="Its image; by default the one that the pool has now.")] = None,
    profile: Annotated[str | None, typer.Option(help="Its instance profile; by default the pool's.")] = None,
    fleet: o.FleetOption = None,
) -> None:
    """Start a builder: an instance like the pool's, but outside of its group and without user data."""
    with _told():
        output.print_json({"instance": find_node_images(fleet, pool).start_builder(name, base, profile)})


@app.command("run")
def run(
    pool: PoolArgument,
    instance: InstanceArgument,
    script: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="What root runs there, under a shell.")],
    limit: LimitOption = 1800,
    fleet: o.FleetOption = None,
) -> None:
    """Run a script on a builder through Systems Manager, and print what it prints."""
    with _told():
        typer.echo(find_node_images(fleet, pool).run_on(instance, script.read_text(encoding="utf-8"), limit))


@app.command("bake")
def bake(
    pool: PoolArgument,
    instance: InstanceArgument,
    name: Annotated[str, typer.Option(help="The image's name; one that is there already is not made again.")],
    limit: LimitOption = 1800,
    fleet: o.FleetOption = None,
) -> None:
    """Make an image of a builder and wait until it can be used."""
    with _told():
        image, made = find_node_images(fleet, pool).bake(instance, name, limit)
        output.print_json({"image": image, "changed": made})


@app.command("discard")
def discard(
    pool: PoolArgument,
    instance: Annotated[str | None, typer.Argument(help="The builder's instance id.")] = None,
    name: Annotated[str | None, typer.Option(help="Instead of an id: every builder of that name, if any.")] = None,
    fleet: o.FleetOption = None,
) -> None:
    """End a builder, or all of a name; any other instance is refused. Tells which were ended."""
    if (instance is None) == (name is None):
        raise typer.BadParameter("give either a builder's instance id or --name")
    with _told():
        images = find_node_images(fleet, pool)
        if instance is not None:
            images.end_builder(instance)
        ended = [instance] if instance is not None else images.end_builders_named(str(name))
        output.print_json({"ended": ended})


@app.command("release")
def release(pool: PoolArgument, image: ImageIdArgument, fleet: o.FleetOption = None) -> None:
    """Make a version of the pool's launch template that names the image; nothing uses it yet."""
    with _told():
        version, made = find_node_images(fleet, pool).release(image)
        output.print_json({"version": version, "changed": made})


@app.command("refresh")
def refresh(
    pool: PoolArgument,
    version: Annotated[str, typer.Argument(help="The launch template's version, as `release` tells it.")],
    checkpoint: Annotated[
        list[int] | None,
        typer.Option(min=1, max=99, help="Pause when so many percent are replaced; may be repeated."),
    ] = None,
    pause: Annotated[int, typer.Option(min=0, max=172800, help="Seconds to pause at a checkpoint.")] = 600,
    max_healthy: Annotated[
        int, typer.Option(min=101, max=200, help="How large the group may become meanwhile, in percent.")
    ] = 110,
    alarm: Annotated[
        list[str] | None, typer.Option(help="An alarm that rolls back; may be repeated. The pool's own always does.")
    ] = None,
    limit: LimitOption = 6 * 3600,
    fleet: o.FleetOption = None,
) -> None:
    """Replace the pool's nodes, each drained first, and wait for the end; fails when AWS has rolled back.

    One that runs to this version already is waited for instead; where every node has it, nothing is done.
    """
    with _told():
        images = find_node_images(fleet, pool)
        alarms = tuple(dict.fromkeys([f"{images.group}-failed", *(alarm or ())]))
        points = (*checkpoint, 100) if checkpoint else ()
        refresh_id, begun = images.refresh(version, Pace(max_healthy, points, pause, alarms))
        last: Mapping[str, Any] = {"Status": SUCCESSFUL}
        for last in images.follow(refresh_id, limit) if refresh_id else ():
            output.notice(_progress(last))
    output.print_json({"refresh": refresh_id, "status": last["Status"], "changed": begun})
    if last["Status"] != SUCCESSFUL:
        output.fail(f"the refresh ended as {last['Status']}: {last.get('StatusReason') or 'no reason is told'}")


@app.command("publish")
def publish(
    pool: PoolArgument,
    image: ImageIdArgument,
    parameter: Annotated[str, typer.Option(help="The parameter that the pool's `node_image` names.")],
    fleet: o.FleetOption = None,
) -> None:
    """Make the image what the next deployment finds in the pool's `node_image` parameter."""
    with _told():
        output.print_json({"changed": find_node_images(fleet, pool).publish(parameter, image)})


def _progress(refresh: Mapping[str, Any]) -> str:
    told = f"{refresh['Status']}, {refresh.get('PercentageComplete', 0)} % replaced"
    reason = refresh.get("StatusReason")
    return f"{told}: {reason}" if reason else told


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FleetError as error:
        output.fail(str(error), status=output.UNREACHABLE)
