"""Processes that must be found again after the program that made them was killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, AnyStr

from local.machines import MachineError

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
KILL_TIMEOUT_S = 10.0
_FIELDS_BEFORE_STATE = 2
_START_TIME = 22


@dataclass(frozen=True, slots=True)
class Process:
    """A process named so that a reused pid is never taken for it."""

    pid: int
    started: int
    """Start time in clock ticks since boot: field 22 of /proc/PID/stat."""

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The live process with this pid; None when there is none or it is a zombie."""
        try:
            # The command's name may hold blanks and brackets; the fields after it don't.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[_START_TIME - _FIELDS_BEFORE_STATE - 1]))

    @classmethod
    def from_file(cls, path: Path) -> Process | None:
        """What a pid file ("PID START-TIME") records; None when there is none or it was never finished."""
        try:
            pid, started = path.read_text().split()
            return cls(int(pid), int(started))
        except (OSError, ValueError):
            return None

    def to_file(self, path: Path) -> None:
        """Record it in the form that from_file reads."""
        path.write_text(f"{self.pid} {self.started}\n")

    def alive(self) -> bool:
        """Whether this very process runs."""
        return Process.of(self.pid) == self

    def end(self, how: signal.Signals = signal.SIGKILL, timeout_s: float = KILL_TIMEOUT_S) -> None:
        """Send the signal and wait until the process has gone (or is a zombie); harmless when it is gone.

        Raises MachineError when it lives on for timeout_s.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The handle pins the process: what the check sees is what the signal reaches.
            if not self.alive():
                return
            signal.pidfd_send_signal(handle, how)
            if not select.select([handle], [], [], timeout_s)[0]:
                raise MachineError(f"process {self.pid} does not end")
        except ProcessLookupError:
            return
        finally:
            os.close(handle)


def piped(stream: IO[AnyStr] | None) -> IO[AnyStr]:
    """A child's stream that was asked for as a pipe; raises MachineError when it wasn't."""
    if stream is None:
        raise MachineError("a child's stream is no pipe")
    return stream


def call(command: Sequence[str], stdin: str = "", pass_fds: Sequence[int] = ()) -> str:
    """Run a short system command and give its output; raises MachineError with what it said."""
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            pass_fds=tuple(pass_fds),
            env={"PATH": SYSTEM_PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise MachineError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
