"""Shows the demo while it runs: a live screen on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from swarmkeeper.cli.demo.record import Record, SeenEvent
from swarmkeeper.cli.demo.watch import View
from swarmkeeper.cli.listings import container_table, node_table

EVENTS_SHOWN = 8
LINES_SHOWN = 6
REFRESH_S = 0.5
OURS = {
    "EC2 Instance-launch Lifecycle Action": "launch hook",
    "EC2 Instance-terminate Lifecycle Action": "terminate hook",
    "EC2 Command Invocation Status-change Notification": "command",
    "CloudWatch Alarm State Change": "alarm",
}


class HasView(Protocol):
    """Whoever looks at the fleet."""

    view: View


class Display(Protocol):
    """Where the demo tells what happens."""

    def say(self, text: str) -> None: ...

    def watch(self, watcher: HasView) -> None:
        """Show the fleet from now on."""

    def close(self) -> None: ...


class PlainDisplay:
    """One line an occurrence, with the seconds since the start; also one for every event that passes."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._watcher: HasView | None = None
        self._told = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)

    def say(self, text: str) -> None:
        sys.stdout.write(f"{self._record.elapsed():6.1f}s  {text}\n")
        sys.stdout.flush()

    def watch(self, watcher: HasView) -> None:
        self._watcher = watcher
        self._thread.start()

    def close(self) -> None:
        if self._watcher is not None and not self._stop.is_set():
            self._stop.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(REFRESH_S):
            events = self._watcher.view.events if self._watcher else ()
            for event in events[self._told :]:
                if line := describe(event):
                    sys.stdout.write(f"{event.t:6.1f}s    . {line}\n")
            sys.stdout.flush()
            self._told = len(events)


class LiveDisplay:
    """A screen with the nodes, the containers, the last events and the steps so far."""

    def __init__(self, record: Record, console: Console | None = None) -> None:
        self._record = record
        self._watcher: HasView | None = None
        self._lines: list[str] = []
        self._live = Live(get_renderable=self._screen, console=console, refresh_per_second=1 / REFRESH_S)
        self._live.start()

    def say(self, text: str) -> None:
        self._lines.append(f"{self._record.elapsed():6.1f}s  {text}")

    def watch(self, watcher: HasView) -> None:
        self._watcher = watcher

    def close(self) -> None:
        self._live.stop()

    def _screen(self) -> RenderableType:
        parts: list[RenderableType] = [Text(line) for line in self._lines[-LINES_SHOWN:]]
        if self._watcher is not None:
            view = self._watcher.view
            pending = f"{len(view.pending())} pending"
            parts.append(Panel(node_table(view.nodes), title="nodes", title_align="left"))
            parts.append(Panel(container_table(view.containers), title=f"containers, {pending}", title_align="left"))
            parts.append(Panel(_event_table(view.events), title="events", title_align="left"))
        parts.append(Text(f"{self._record.elapsed():6.1f}s  {self._record.current} ...", style="bold"))
        return Group(*parts)


def display_for(record: Record) -> Display:
    """The display that suits standard output."""
    console = Console()
    return LiveDisplay(record, console) if console.is_terminal else PlainDisplay(record)


def describe(event: SeenEvent) -> str:
    """One line on an event, for people; empty for one that says nothing new."""
    detail = event.detail
    word = OURS.get(event.kind, event.kind)
    if event.kind == "CloudWatch Alarm State Change":
        state = detail.get("state")
        value = state.get("value") if isinstance(state, dict) else state
        return f"alarm {detail.get('alarmName')} is {value}"
    if "command-id" in detail:
        if event.kind not in OURS:  # the same end, told for the whole command
            return ""
        return f"command {detail.get('document-name')} on {detail.get('instance-id')}: {detail.get('status')}"
    about = detail.get("EC2InstanceId") or detail.get("node") or detail.get("name") or ""
    return f"{word} {about}".rstrip()


def _event_table(events: tuple[SeenEvent, ...]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    told = [(event, line) for event in events[-40:] if (line := describe(event))]
    for event, line in told[-EVENTS_SHOWN:]:
        table.add_row(f"{event.t:6.1f}s", line)
    return table
