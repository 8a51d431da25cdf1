"""The progress bar of a simulation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Runs:
    """Several runs one after the other, each from 0 to the trace's length in simulated seconds."""

    def __init__(self, progress: Progress, length_s: float) -> None:
        self._progress = progress
        self._length_s = length_s

    @contextmanager
    def run(self, label: str) -> Iterator[Callable[[float], None]]:
        """A bar while one run goes on; what it yields is told the simulated time."""
        task = self._progress.add_task(label, total=self._length_s)
        yield lambda now: self._progress.update(task, completed=now)
        self._progress.update(task, completed=self._length_s)


@contextmanager
def runs(length_s: float) -> Iterator[Runs]:
    """Bars on standard error, where that is a terminal; otherwise nothing is shown."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        yield Runs(progress, length_s)
