"""`swarmkeeper chaos`: faults on purpose in a local cloud of its own, judged from outside."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from swarmkeeper.cli import output


def chaos(
    faults: Annotated[int, typer.Option(min=1, help="How many faults to inject.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed draws the same faults, gaps and choices.")] = 1,
    engines: Annotated[str, typer.Option(help="real, simulated, or auto: real where they can run.")] = "auto",
    mean_gap: Annotated[float, typer.Option(min=0.1, help="Seconds between two faults, on average.")] = 8.0,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds to wait for quiet after the last fault.")] = 600.0,
    managers: Annotated[int, typer.Option(help="1, 3 or 5; of three or more one is killed now and then.")] = 1,
    workers: Annotated[
        int,
        typer.Option(
            min=2,
            max=8,
            help="At the least, and three times as many at the most: the more, the more can be hit at once.",
        ),
    ] = 2,
    pause: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two calls of each of the load's three callers.")
    ] = 1.0,
    report: Annotated[Path | None, typer.Option(help="Write the report here too, as JSON.")] = None,
    logs: Annotated[
        Path, typer.Option(help="Where the functions' and nodes' logs are left, in a folder for each seed.")
    ] = Path("build/chaos"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Inject faults into a local cloud under load, wait for quiet, and check every invariant from outside.

    Exit status 0 only when no invariant was broken, every fault has healed, and quiet came in time.
    """
    from local.chaos import report as reporting
    from local.chaos import starting
    from local.starter import LocalCloudError

    if engines not in ("auto", "real", "simulated"):
        raise typer.BadParameter("is real, simulated or auto", param_hint="--engines")
    if managers not in (1, 3, 5):
        raise typer.BadParameter("is 1, 3 or 5", param_hint="--managers")
    kept = logs / f"seed-{seed}"
    wanted = starting.Wanted(faults, seed, engines, mean_gap, deadline, managers, workers, pause, kept)
    try:
        found = starting.run(wanted, output.notice)
    except (LocalCloudError, TimeoutError) as error:
        output.fail(str(error))
    if report is not None:
        report.write_text(json_text.dumps(found, indent=2) + "\n")
    if json:
        output.print_json(found)
    else:
        _print(found)
    if not reporting.holds(found):
        raise typer.Exit(output.REFUSED)


def _print(found: Mapping[str, Any]) -> None:
    console = output.result()
    table = Table("FAULT", "INJECTED", "STRUCK", "MEDIAN", "WORST", box=None, pad_edge=False)
    for kind, figures in found["kinds"].items():
        times = (_seconds(figures["median_s"]), _seconds(figures["worst_s"]))
        table.add_row(kind, str(figures["faults"]), str(figures["struck"]), *times)
    console.print(table)
    unhealed = [fault for fault in found["faults"] if fault["healed_s"] is None]
    for fault in unhealed:
        console.print(f"not healed: {fault['number']} {fault['kind']}: {fault['target']}")
    for violation in found["violations"]:
        console.print(
            f"violated {violation['invariant']} at {violation['at_s']} s: {violation['subject']} {violation['what']}"
        )
    for kind, why in found["left_out"].items():
        console.print(f"left out: {kind}: {why}")
    quiet = found["quiet_after_s"]
    console.print(
        f"seed {found['seed']}, {found['engines']} engines: {len(found['faults'])} faults, "
        f"{len(found['violations'])} violations, {len(found['containers_lost'])} containers lost, "
        f"{len(found['leaked_reservations'])} leaked reservations, {len(found['ghosts'])} ghosts; "
        + ("no quiet in time" if quiet is None else f"quiet after {quiet:.0f} s")
    )


def _seconds(number: float | None) -> str:
    return "-" if number is None else f"{number:.1f} s"
