"""What a local cloud leaves on the machine, and its removal, also after the cloud was killed."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from local.aws import fork_parent
from local.starter import LOG_FILE, LocalCloudError, project_root

FUNCTION_LOGS = "functions"
"""The folder of the functions' logs inside the state folder."""
MARK = ".swarmkeeper-local"
"""Only a folder with this file in it is ever removed."""
ENDING_S = 10.0


def make_state_dir(state_dir: Path) -> None:
    """Make the folder with our mark. Raises LocalCloudError when it holds somebody else's files."""
    if state_dir.exists() and any(state_dir.iterdir()) and not (state_dir / MARK).exists():
        raise LocalCloudError(f"{state_dir} holds files that are not the local cloud's; move them elsewhere")
    state_dir.mkdir(parents=True, exist_ok=True)
    state_dir.chmod(0o700)
    (state_dir / MARK).write_text("Files of Swarmkeeper's local cloud; `swarmkeeper local down` removes this folder.\n")


def clean(state_dir: Path, progress: Callable[[str], None]) -> bool:
    """Remove processes, namespaces, bridges, mounts and files of a local cloud; False when nothing was there.

    The lock must be held by the caller or by nobody. Safe to repeat.
    """
    marked = (state_dir / MARK).exists()
    if _engines_possible():
        from local.machines import cleanup

        cleanup.clean_up(state_dir)
    elif sys.platform == "linux":
        from local.machines import cleanup

        cleanup.end_recorded(state_dir)
    if marked:
        progress(f"removing what is left in {state_dir}")
        shutil.rmtree(state_dir)
    return marked


def _engines_possible() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0


def keep_logs(state_dir: Path) -> Path:
    """Copy a failed cloud's logs out of the folder that is about to be removed; returns the daemon log's copy."""
    kept = project_root() / "build" / "local" / "failed"
    shutil.rmtree(kept, ignore_errors=True)
    copy_logs(state_dir, kept)
    return kept / LOG_FILE


def copy_logs(state_dir: Path, target: Path) -> None:
    """Copy the daemon's, the functions' and the nodes' logs; what vanishes meanwhile is left out."""
    found = [*state_dir.glob("*.log"), *state_dir.glob(f"{FUNCTION_LOGS}/*.log"), *state_dir.glob("nodes/*/log/*.log")]
    for path in found:
        copy = target / path.relative_to(state_dir)
        with suppress(FileNotFoundError):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def leftovers(state_dir: Path, endpoint_url: str) -> list[str]:
    """What of a local cloud is on this machine: files, mounts, links, control groups, processes; empty when nothing.

    endpoint_url: where its AWS was; its functions have it in their environment.
    """
    found = [f"folder {state_dir}"] if state_dir.exists() else []
    if sys.platform != "linux":
        return found
    found += [f"mount {line.split()[1]}" for line in _lines("/proc/self/mounts") if str(state_dir) in line]
    found += [f"link {path.name}" for path in Path("/sys/class/net").glob("swk*")]
    found += [f"network namespace {path.name}" for path in Path("/run/netns").glob("swk*")]
    found += [f"process {pid}: {command}" for pid, command in _processes(state_dir, endpoint_url)]
    if _engines_possible():
        from local.machines import cgroups, volumes

        found += [f"control group {name}" for name in cgroups.names()]
        found += [f"volume at {device}" for device in volumes.attached(state_dir)]
    return found


def lasting_leftovers(state_dir: Path, endpoint_url: str) -> list[str]:
    """`leftovers`, but for what ends by itself in seconds, such as a child that had not yet begun its program."""
    found: list[str] = []
    deadline = time.monotonic() + ENDING_S
    while (found := leftovers(state_dir, endpoint_url)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _processes(state_dir: Path, endpoint_url: str) -> list[tuple[int, str]]:
    """Processes whose command names the folder, or whose environment names the endpoint, and orphans of any cloud."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        arguments = _strings(process / "cmdline")
        command = " ".join(arguments)
        named = str(state_dir) in command or f"AWS_ENDPOINT_URL={endpoint_url}" in _strings(process / "environ")
        ours = named or _is_orphan(arguments)
        if ours and int(process.name) != os.getpid():
            found.append((int(process.name), command[:120]))
    return found


def _is_orphan(arguments: list[str]) -> bool:
    """Whether it was forked for functions, and the program whose functions they were has ended."""
    if fork_parent.__file__ not in arguments:
        return False
    owner = arguments[arguments.index(fork_parent.__file__) + 1]
    return not Path("/proc", owner).exists()


def _strings(path: Path) -> list[str]:
    """The strings of one of /proc's files; none when the process has gone or isn't ours to look into."""
    try:
        return path.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _lines(path: str) -> list[str]:
    return Path(path).read_text(errors="replace").splitlines()
