"""Removing everything of ours from this host, also after the program that made it was killed."""

from __future__ import annotations

import shutil
from pathlib import Path

from local.machines import cgroups, volumes
from local.machines.network import remove_host_link
from local.machines.polling import until
from local.machines.processes import Process

_ENDING_TIMEOUT_S = 10.0


def clean_up(state_dir: Path) -> None:
    """End every process of ours and remove links, control groups and node folders; harmless when there is nothing.

    Finds processes by the pid files in the folder (which record start times, so that a reused pid is left alone) and
    by the name prefix of their control groups, so it also works when the folder has gone. Other files of the folder
    stay. Raises MachineError when something refuses to go.
    """
    state_dir = state_dir.resolve()
    end_recorded(state_dir)
    for name in cgroups.names():
        # Ending process 1 of a node ends the others; what is listed after it may have gone already.
        for process in cgroups.processes(name):
            process.end()
        cgroups.remove(name)
    remove_host_link()
    volumes.remove(state_dir)
    _remove_nodes(state_dir / "nodes")


def end_recorded(state_dir: Path) -> None:
    """End the processes that the folder's pid files record; needs no privileges for those of this user."""
    for pid_file in _pid_files(state_dir):
        if process := Process.from_file(pid_file):
            process.end()
        pid_file.unlink(missing_ok=True)


def _pid_files(state_dir: Path) -> list[Path]:
    return [*sorted(state_dir.glob("nodes/*/pid")), *sorted(state_dir.glob("*.pid"))]


def _remove_nodes(nodes: Path) -> None:
    """Remove the nodes' folders; one that a dying process still writes to is tried again."""

    def removed() -> bool:
        shutil.rmtree(nodes, ignore_errors=True)
        return not nodes.exists()

    if not until(removed, _ENDING_TIMEOUT_S):
        shutil.rmtree(nodes)  # says what is in the way
