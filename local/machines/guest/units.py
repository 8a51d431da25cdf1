"""systemctl's part for the simple services that the documents write: started in the background, started again.

Runs on the node under a bare interpreter (stdlib only). Of a unit file it reads ExecStart, Environment and RestartSec;
users, sandboxes and limits are systemd's own and are not imitated: what runs here runs as root.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
RUN_DIR = Path("/run/swarmkeeper")
LOGS = Path("/var/log")
NOT_ACTIVE, NO_SUCH_UNIT = 3, 5
STOP_TIMEOUT_S = 10.0
AGAIN = 'while :; do "$@"; sleep "$AGAIN_S"; done'


def settings(unit: str) -> dict[str, list[str]]:
    """The lines of the unit's file by key."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / f"{unit}.service").read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals:
            found.setdefault(key.strip(), []).append(value.strip())
    return found


def running(unit: str) -> int | None:
    """The process that starts the service again and again, when it lives."""
    try:
        pid = int(pid_file(unit).read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if AGAIN.encode() in command else None


def pid_file(unit: str) -> Path:
    return RUN_DIR / f"{unit}.pid"


def start(unit: str) -> int:
    if running(unit) is not None:
        return 0
    wanted = settings(unit)
    given = dict(each.split("=", 1) for line in wanted.get("Environment", []) for each in shlex.split(line))
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "AGAIN_S": wanted.get("RestartSec", ["1"])[0],
        **given,
    }
    with (LOGS / f"{unit}.log").open("ab") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", AGAIN, unit, *shlex.split(wanted["ExecStart"][0])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    pid_file(unit).write_text(str(process.pid))
    return 0


def stop(unit: str) -> int:
    """End the service and all that it has started; it is a session of its own."""
    pid = running(unit)
    if pid is None:
        return 0
    deadline = time.monotonic() + STOP_TIMEOUT_S
    os.killpg(pid, signal.SIGTERM)
    while running(unit) is not None:
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.02)
    pid_file(unit).unlink()
    return 0


def act(verb: str, unit: str) -> int:
    """Do the verb on one unit. Raises KeyError for a verb that this machine doesn't know."""
    if not (UNITS / f"{unit}.service").exists():
        print(f"Unit {unit}.service not found.", file=sys.stderr)
        return NO_SUCH_UNIT
    if verb in {"is-active", "status"}:
        return 0 if running(unit) is not None else NOT_ACTIVE
    actions = {"start": lambda: start(unit), "stop": lambda: stop(unit), "restart": lambda: stop(unit) or start(unit)}
    return actions[verb]()


if __name__ == "__main__":
    sys.exit(act(sys.argv[1], sys.argv[2]))
