"""`swarmkeeper demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmkeeper.cli.local_cloud import EnginesOption, SettingsOption, settings_file


def demo(
    settings: SettingsOption = None,
    engines: EnginesOption = "auto",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the local cloud up at the end.")] = False,
    report: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("build/demo"),
) -> None:
    """Watch the whole loop: demand grows, an alarm fires, nodes join, containers answer; then nodes drain and leave."""
    from swarmkeeper.cli.demo.run import run_demo  # here: it needs what the other commands don't

    raise typer.Exit(run_demo(settings_file(settings), engines=engines, keep=keep, report_dir=report))
