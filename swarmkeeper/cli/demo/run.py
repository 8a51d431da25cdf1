"""Runs the demo from an empty machine to an empty machine, and reports."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from local import control, lock, remains, starter
from swarmkeeper.cli import output
from swarmkeeper.cli.console.server import serving
from swarmkeeper.cli.demo.display import Display, display_for
from swarmkeeper.cli.demo.growing import grow
from swarmkeeper.cli.demo.record import Record, Unmet
from swarmkeeper.cli.demo.report import summary, write_reports
from swarmkeeper.cli.demo.shrinking import shrink
from swarmkeeper.cli.demo.stage import Stage
from swarmkeeper.cli.demo.telling import check_limits, tell_causes
from swarmkeeper.cli.demo.watch import Watcher
from swarmkeeper.cli.finding import find_api
from swarmkeeper.cli.fleet import Fleet, FleetError, find_fleet
from swarmkeeper.cli.local_cloud import emulated_settings
from swarmkeeper.edge.settings import Settings

AGENT_DELAY_S = 5.0
"""An instance's agent takes some 20 s to register on AWS; the demo's takes less, but never none."""

CONSOLE_EVERY_S = 1.0


def run_demo(settings_path: Path, *, engines: str, runtime: str, keep: bool, report_dir: Path) -> int:
    """Run the whole demo; the exit status, 0 only when every step ended and every check held."""
    settings = emulated_settings(settings_path)
    if (holder := lock.holder(lock.default_lock_path())) is not None and holder.alive:
        output.fail(str(lock.AlreadyRunning(holder)))
    record = Record()
    record.notes["profile"] = settings_path.read_text()
    sys.stdout.write(f"profile {settings_path}:\n\n{settings_path.read_text()}\n")
    display = display_for(record)
    wanted = starter.Wanted(settings_path, engines, AGENT_DELAY_S, runtime=runtime)
    try:
        with _cloud(wanted, record, display, report_dir, keep=keep) as cloud:
            _tell(cloud, settings, record, display)
    except (Unmet, FleetError, starter.LocalCloudError, control.ControlError) as error:
        display.say(f"failed: {error}")
        record.check("the demo runs to its end", False, str(error))
    except KeyboardInterrupt:
        record.check("the demo runs to its end", False, "interrupted")
    finally:
        display.close()
    write_reports(record, report_dir)
    _conclude(record, report_dir)
    return 0 if record.ok else 1


@contextmanager
def _cloud(
    wanted: starter.Wanted, record: Record, display: Display, report_dir: Path, *, keep: bool
) -> Iterator[starter.Cloud]:
    """A cloud that is up; taken down at the end, whatever happened, unless it is to be kept."""
    logs = report_dir / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    with record.step("local cloud up"):
        cloud, _ = starter.up(wanted, display.say)
        record.engines = cloud.engines
        record.notes["runtime"] = cloud.runtime
        display.say(f"{cloud.engines} engines; AWS's APIs at {cloud.endpoint_url}")
    # From here on it is ours to end: one that did not come up, or was interrupted, has cleaned up after itself.
    try:
        yield cloud
    finally:
        remains.copy_logs(Path(cloud.state_dir), logs)
        if keep:
            display.say("the local cloud stays up; `swarmkeeper local down` ends it")
        else:
            _take_down(cloud, record, display)


def _take_down(cloud: starter.Cloud, record: Record, display: Display) -> None:
    with record.step("local cloud down"):
        starter.down(display.say)
    left = remains.lasting_leftovers(Path(cloud.state_dir), cloud.endpoint_url)
    record.check("nothing of ours is left on the machine", not left, "; ".join(left) or "nothing")


def _tell(cloud: starter.Cloud, settings: Settings, record: Record, display: Display) -> None:
    fleet: Fleet = find_fleet(cloud.fleet)
    image = str(starter.ask("status")["web_image"])
    watcher = Watcher(cloud, fleet, record)
    watcher.start()
    display.watch(watcher)
    try:
        with serving(find_api(cloud.fleet), every_s=CONSOLE_EVERY_S) as console:
            display.say(f"watch it in a browser until the demo ends: {console.url}")
            stage = Stage(cloud, fleet, record, watcher, settings, display.say, image)
            grow(stage)
            shrink(stage)
            tell_causes(stage)
            check_limits(stage)
    finally:
        watcher.stop()


def _conclude(record: Record, report_dir: Path) -> None:
    console = Console()
    console.print(summary(record))
    for check in record.checks:
        word = "[green]holds[/green] " if check.ok else "[red]FAILED[/red]"
        console.print(f"{word} {check.name}", highlight=False)
        if not check.ok:
            console.print(f"       {check.detail}", markup=False, highlight=False)
    held = sum(check.ok for check in record.checks)
    console.print(f"{held} of {len(record.checks)} checks held; report: {report_dir / 'report.html'}", highlight=False)
