"""`swarmkeeper demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmkeeper.cli.local_cloud import EnginesOption, RuntimeOption, check_runtime, chosen_file, shipped_profile


def demo(
    settings: Annotated[
        Path | None, typer.Option("--settings", "-f", help="Other settings than the shipped demo profile.")
    ] = None,
    engines: EnginesOption = "auto",
    runtime: RuntimeOption = "source",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the local cloud up at the end.")] = False,
    report: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("build/demo"),
) -> None:
    """Watch the whole loop: demand grows, an alarm fires, nodes join, containers answer; then nodes drain and leave."""
    from swarmkeeper.cli.demo.run import run_demo  # here: it needs what the other commands don't

    check_runtime(runtime)
    path = chosen_file(settings or shipped_profile())
    raise typer.Exit(run_demo(path, engines=engines, runtime=runtime, keep=keep, report_dir=report))
