"""The control groups of the machines, on hosts with version 1, version 2 or both: all named swk-*."""

from __future__ import annotations

import re
from pathlib import Path

from local.machines import MachineError
from local.machines.polling import until
from local.machines.processes import Process

PREFIX = "swk-"
_LEAF = "node"
_REMOVE_TIMEOUT_S = 10.0


def hierarchies() -> tuple[Path, ...]:
    """Where the host's control group hierarchies are mounted."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind in {"cgroup", "cgroup2"}:
            found.append(Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), where)))
    return tuple(found)


def home_hierarchy() -> Path:
    """The hierarchy that holds the machines' own processes: one where a new group needs no settings.

    Raises MachineError on a host that has none.
    """
    mounted = hierarchies()
    for suitable in ("pids", "systemd", "unified"):
        for hierarchy in mounted:
            if hierarchy.name == suitable:
                return hierarchy
    for hierarchy in mounted:
        if (hierarchy / "cgroup.controllers").exists():
            return hierarchy
    raise MachineError("no control group hierarchy is mounted")


def make_home(name: str) -> Path:
    """The group for the machine's own processes, made.

    A leaf, because version 2 lets a group that has groups below it (the containers') hold no process.
    """
    home = home_hierarchy() / name / _LEAF
    home.mkdir(parents=True, exist_ok=True)
    return home


def names() -> tuple[str, ...]:
    """The names of all machines of which a group is left."""
    return tuple(sorted({group.name for top in hierarchies() for group in top.glob(f"{PREFIX}*") if group.is_dir()}))


def processes(name: str) -> tuple[Process, ...]:
    """The live processes of a machine, containers included."""
    pids = {int(pid) for group in _groups(name) for pid in _member_pids(group)}
    return tuple(process for pid in sorted(pids) if (process := Process.of(pid)))


def remove(name: str) -> None:
    """Remove a machine's groups in every hierarchy, once the kernel has let go of them.

    Raises MachineError when a group stays busy.
    """
    if not until(lambda: not _remove_once(name), _REMOVE_TIMEOUT_S):
        raise MachineError(f"control groups of {name} stay busy: {_remove_once(name)}")


def _groups(name: str) -> list[Path]:
    """All groups of a machine, the deepest first."""
    found: list[Path] = []
    for top in hierarchies():
        if (top / name).is_dir():
            found += [top / name, *(group for group in (top / name).rglob("*") if group.is_dir())]
    return sorted(found, key=lambda group: len(group.parts), reverse=True)


def _member_pids(group: Path) -> list[str]:
    try:
        return (group / "cgroup.procs").read_text().split()
    except OSError:  # the group went away meanwhile
        return []


def _remove_once(name: str) -> list[Path]:
    """Remove what can be removed now; the groups that are still busy."""
    busy = []
    for group in _groups(name):
        try:
            group.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            busy.append(group)
    return busy
