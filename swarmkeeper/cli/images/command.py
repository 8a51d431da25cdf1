"""The commands. Docker's own client does the work, so a job needs DOCKER_HOST and a log-in as for `docker push`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from swarmkeeper.cli import options as o
from swarmkeeper.cli import output
from swarmkeeper.cli.fleet import FleetError, find_fleet
from swarmkeeper.cli.images import building, collecting, snapshots, trial
from swarmkeeper.cli.images.catalogue import Definition, UnknownImage, definition, definitions
from swarmkeeper.cli.images.docker import DockerError, docker

app = typer.Typer(no_args_is_help=True, help="The base images of users' containers, and the fleet's registry.")

NameArgument = Annotated[str, typer.Argument(help="The image's name, as `images list` shows it.")]


@contextmanager
def _told() -> Iterator[None]:
    """End the command with a reason where something is amiss."""
    try:
        yield
    except (UnknownImage, DockerError, trial.Failed, FleetError, snapshots.RegistryError) as error:
        output.fail(str(error))


@app.command("list")
def list_images(json: o.JsonOption = False) -> None:
    """Show the images, what they are built from, and whether this machine can make a stand-in for that."""
    with _told():
        found = definitions(_root() / "images").values()
    if json:
        output.print_json([_listed(each) for each in found])
        return
    table = Table("NAME", "TITLE", "BASE", "STAND-IN", box=None, pad_edge=False)
    for each in found:
        table.add_row(
            each.name, each.title, each.base, "yes" if each.has_stand_in else "no: not runnable without pulls"
        )
    output.result().print(table)


@app.command()
def build(
    name: NameArgument,
    base: Annotated[str | None, typer.Option(help="What to build from, best by digest; else as `list` shows.")] = None,
    stand_in: Annotated[
        bool, typer.Option("--stand-in", help="Build from a base made of Debian's packages; nothing is pulled.")
    ] = False,
    tag: Annotated[str | None, typer.Option(help="What to call it; else swarmkeeper/NAME:latest.")] = None,
    json: o.JsonOption = False,
) -> None:
    """Build an image on the engine that DOCKER_HOST names, or the one of this machine."""
    if base and stand_in:
        raise typer.BadParameter("goes without --base", param_hint="--stand-in")
    with _told():
        wanted = definition(_root() / "images", name)
        source = _load_stand_in(wanted) if stand_in else base or wanted.base
        begun = time.monotonic()
        called = tag or wanted.reference
        made = building.build(docker, _root() / "images", wanted, base=source, tag=called, revision=_revision())
        took_s, size = time.monotonic() - begun, building.size_bytes(docker, called)
    if json:
        output.print_json({"reference": called, "id": made, "base": source, "bytes": size, "seconds": round(took_s, 2)})
        return
    typer.echo(f"{called}: {size / 1e6:.0f} MB, built from {source} in {took_s:.1f} s")


@app.command()
def test(
    image: Annotated[str, typer.Argument(help="An image's name, or any reference, which is pulled if need be.")],
    json: o.JsonOption = False,
) -> None:
    """Run an image's own smoke test, then the image as it comes: healthy, not root, ends when told to."""
    with _told():
        known = definitions(_root() / "images")
        reference = known[image].reference if image in known else image
        if image not in known:
            building.have(docker, reference)
        begun = time.monotonic()
        said = trial.try_image(docker, reference)
        took_s = time.monotonic() - begun
    if json:
        output.print_json({"reference": reference, "said": said, "seconds": round(took_s, 2)})
        return
    typer.echo(f"{reference}: {said}, in {took_s:.1f} s")


@app.command()
def push(
    names: Annotated[list[str], typer.Argument(help="The images' names.")],
    to: Annotated[str, typer.Option(help="Registry and folder, e.g. registry.example.com:5000/base.")],
    tag: Annotated[str, typer.Option(help="The tag in the registry.")] = "latest",
    json: o.JsonOption = False,
) -> None:
    """Push images that were built here under swarmkeeper/NAME:latest; log in with `docker login` before."""
    with _told():
        wanted = [definition(_root() / "images", name) for name in names]
        pushed = {
            each.name: building.push(docker, each.reference, f"{to.rstrip('/')}/{each.name}:{tag}") for each in wanted
        }
    if json:
        output.print_json(pushed)
        return
    for reference in pushed.values():
        typer.echo(reference)


@app.command()
def gc(
    project: Annotated[
        Path | None, typer.Option(help="The registry's compose project; else compose/registry of this checkout.")
    ] = None,
    untagged: Annotated[
        bool,
        typer.Option("--untagged", help="Also what no tag names. Not while anything names images by digest."),
    ] = False,
) -> None:
    """Remove what no image needs any more from the registry that runs on this machine; pulls go on meanwhile."""
    with _told():
        said = collecting.collect(project or _root() / "compose" / "registry", untagged=untagged)
    typer.echo(said)


@app.command("snapshots")
def old_snapshots(
    registry: Annotated[str, typer.Argument(help="The fleet's registry, as images.registry has it.")],
    fleet: o.FleetOption = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete them; `images gc` frees their room then.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="The registry speaks plain HTTP.")] = False,
    json: o.JsonOption = False,
) -> None:
    """Show which saved layers of containers no container needs any more, those of the last day left out.

    Asks the fleet's function itself, since callers of the HTTP API may see some tenants only, and the registry with
    the log-in that `docker login` has kept.
    """
    with _told():
        asked = find_fleet(fleet)
        stored = list(snapshots.Registry(registry, plain=plain).snapshots(asked.name))
        listed = asked.list()
        if "containers" not in listed:
            raise FleetError(f"the fleet does not list its containers: {listed.get('error')}")
        images = [snapshot["image"] for each in listed["containers"] if (snapshot := each.get("snapshot"))]
        old = snapshots.unused(stored, images, now=time.time())
        for each in old if delete else ():
            snapshots.Registry(registry, plain=plain).delete(each)
    if json:
        output.print_json({"unused": [each.path for each in old], "stored": len(stored), "deleted": delete})
        return
    for each in old:
        typer.echo(each.path)
    what = "deleted" if delete else "not needed"
    output.notice(f"{len(old)} of {len(stored)} snapshots {what}")


def _listed(each: Definition) -> dict[str, object]:
    return {
        "name": each.name,
        "title": each.title,
        "description": each.description,
        "base": each.base,
        "reference": each.reference,
        "stand_in": each.has_stand_in,
    }


def _load_stand_in(wanted: Definition) -> str:
    from local.bases import base_reference, make_bases
    from local.machines import MachineError

    if not wanted.has_stand_in:
        raise UnknownImage(f"{wanted.name} has no stand-in: Debian has no packages for it; it needs {wanted.base}")
    reference = base_reference(_root() / "images", wanted.name)
    output.notice(
        "stand-ins for the bases are made of Debian's packages, unless they are there: minutes the first time"
    )
    try:
        archive = make_bases(_root() / "images", _root() / "build" / "bases")
    except MachineError as error:
        raise DockerError(str(error)) from error
    building.load(docker, archive, reference)
    return reference


def _revision() -> str:
    """The checkout's commit, for a label."""
    command = ["git", "-C", str(_root()), "rev-parse", "HEAD"]
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return ran.stdout.strip() if ran.returncode == 0 else "unknown"


def _root() -> Path:
    from local.starter import project_root

    return project_root()
