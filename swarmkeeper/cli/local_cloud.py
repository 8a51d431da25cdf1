"""`swarmkeeper local`: the whole product on this machine, with real engines where they can run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.table import Table

from swarmkeeper.cli import output
from swarmkeeper.cli.listings import container_table, node_table

if TYPE_CHECKING:
    from local.starter import Cloud
    from swarmkeeper.edge.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The local cloud: emulated AWS, real engines, the same code.")

SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", "-f", help="The settings; else swarmkeeper.yaml here, or the shipped demo profile."),
]
EnginesOption = Annotated[
    str, typer.Option(help="real, simulated, or auto: real where they can run.", metavar="KIND", show_default=True)
]
RuntimeOption = Annotated[
    str,
    typer.Option(help="What functions run from: source, or lambda: their zips and the layer alone.", metavar="KIND"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OWN_SETTINGS = Path("swarmkeeper.yaml")


def settings_file(chosen: Path | None) -> Path:
    """The settings to use: the chosen file, the one in this folder, or the profile that is shipped."""
    return chosen_file(chosen or (OWN_SETTINGS if OWN_SETTINGS.is_file() else shipped_profile()))


def chosen_file(path: Path) -> Path:
    """The path itself; ends the command when there is no such file."""
    if not path.is_file():
        output.fail(f"no settings: {path} does not exist")
    return path


def shipped_profile() -> Path:
    """The profile of the demo, whose clocks are brisk."""
    from local.starter import project_root

    return project_root() / "swarmkeeper.demo.yaml"


def read_settings(path: Path) -> Settings:
    """The settings in the file; ends the command with every problem's file, line and field when it is refused."""
    from swarmkeeper.edge.settings import SettingsError, load_settings

    try:
        return load_settings(path)
    except SettingsError as error:
        output.fail(f"the settings are refused\n{error}")


def emulated_settings(path: Path) -> Settings:
    """`read_settings` for the local cloud, which has no nodes of other systems than Linux and no host of a registry."""
    settings = read_settings(path)
    if settings.images.registry_host:
        output.fail("the local cloud has no host for a registry of the fleet's own: leave out images.registry_host")
    if settings.windows_pools:
        names = ", ".join(sorted(settings.windows_pools))
        output.fail(f"the local cloud has no Windows nodes: leave out the pools {names} (docs/windows.md)")
    return settings


def check_runtime(runtime: str) -> None:
    """Raises BadParameter unless there is such a runtime."""
    from local.starter import RUNTIMES

    if runtime not in RUNTIMES:
        raise typer.BadParameter(f"is {' or '.join(RUNTIMES)}", param_hint="--runtime")


@app.command()
def up(
    settings: SettingsOption = None,
    engines: EnginesOption = "auto",
    agent_delay: Annotated[
        float, typer.Option(min=0.1, help="Seconds until an instance's agent registers with Systems Manager.")
    ] = 20.0,
    runtime: RuntimeOption = "source",
    monitoring: Annotated[
        bool,
        typer.Option("--monitoring", help="Also InfluxDB and cAdvisors, filled as in production (docs/monitoring.md)."),
    ] = False,
) -> None:
    """Start the local cloud in the background; harmless when it is up."""
    from local import starter
    from local.starter import LocalCloudError, Wanted

    if engines not in ("auto", "real", "simulated"):
        raise typer.BadParameter("is real, simulated or auto", param_hint="--engines")
    check_runtime(runtime)
    path = settings_file(settings)
    emulated_settings(path)  # a mistake in it is told before anything is started
    try:
        cloud, started = starter.up(
            Wanted(path, engines, agent_delay, runtime=runtime, monitoring=monitoring), output.notice
        )
    except LocalCloudError as error:
        output.fail(str(error))
    word = "is up" if started else "was up already"
    measured = f", InfluxDB at {cloud.influxdb_url}" if cloud.influxdb_url else ""
    typer.echo(
        f"the local cloud {word}: fleet {cloud.fleet}, {cloud.engines} engines, AWS at {cloud.endpoint_url}{measured}"
    )


@app.command()
def down() -> None:
    """End the local cloud and remove every trace of it, also of one that crashed."""
    from local import starter
    from local.starter import LocalCloudError

    try:
        found = starter.down(output.notice)
    except LocalCloudError as error:
        output.fail(str(error))
    typer.echo("the local cloud is down" if found else "no local cloud was running, and nothing of one was left")


def _running() -> Cloud | None:
    from local import starter

    try:
        return starter.running_cloud()
    except starter.LocalCloudError as error:
        output.fail(str(error))


@app.command()
def status(json: JsonOption = False) -> None:
    """Show nodes, containers, functions and where AWS's APIs are; exit status 3 when it is down."""
    from local import starter
    from local.control import ControlError

    cloud = _running()
    if cloud is None:
        if json:
            output.print_json({"running": False})
        else:
            typer.echo("the local cloud is down")
        raise typer.Exit(3)
    try:
        report = starter.ask("status")
    except ControlError as error:
        output.fail(str(error))
    if json:
        output.print_json({"running": True, **report})
        return
    _print_status(report)


@app.command()
def env() -> None:
    """Print the environment that points AWS's tools at the local cloud: eval "$(swarmkeeper local env)"."""
    cloud = _running()
    if cloud is None:
        output.fail("the local cloud is down")
    for name, value in cloud.environment().items():
        typer.echo(f"export {name}={value}")


@app.command()
def capacity(
    pool: Annotated[str, typer.Option(help="What this pool launches.")] = "",
    kind: Annotated[str, typer.Option("--type", help="This instance type, in every pool unless --pool is given.")] = "",
    left: Annotated[int | None, typer.Option(min=0, help="How many more can be launched before it runs out.")] = None,
    restore: Annotated[bool, typer.Option("--restore", help="There is enough again.")] = False,
    json: JsonOption = False,
) -> None:
    """Let EC2 run out of an instance type, or of what a pool launches; without options show what is short.

    Groups then fail to launch as on AWS ("We currently do not have sufficient ... capacity"), and try again later and
    later.
    """
    from local import starter
    from local.control import ControlError

    if restore and left is not None:
        raise typer.BadParameter("goes without --left", param_hint="--restore")
    if (restore or left is not None) and not (pool or kind):
        raise typer.BadParameter("give --pool or --type, or both")
    wanted = left if left is not None or restore or not (pool or kind) else 0
    try:
        short = starter.ask("capacity", pool=pool, type=kind, left=wanted)["short"]
    except ControlError as error:
        output.fail(str(error))
    if json:
        output.print_json(short)
        return
    table = Table("POOL", "TYPE", "LEFT", box=None, pad_edge=False)
    for each in cast(list[dict[str, Any]], short):
        table.add_row(each["pool"] or "any", each["type"] or "any", str(each["left"]))
    output.result().print(table)


def _print_status(report: Mapping[str, object]) -> None:
    console = output.result()
    where = f"AWS at {report['endpoint_url']}, the HTTP API at {report['api_url']}, process {report['pid']}"
    console.print(f"fleet {report['fleet']}: {report['engines']} engines, runtime {report['runtime']}, {where}")
    views = cast(Mapping[str, Any], report)
    console.print(node_table(views["nodes"]))
    console.print(container_table(views["containers"]))
    table = Table("FUNCTION", "INVOCATIONS", "ERRORS", "LOG", box=None, pad_edge=False)
    for function in views["functions"]:
        table.add_row(function["name"], str(function["invocations"]), str(function["errors"]), function["log"])
    console.print(table)
