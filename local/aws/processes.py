"""The processes that functions run in: each started by itself, or forked from one that has imported what it needs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Protocol

from local.aws.invocations import Isolation

# Linux ends the runtime when the local cloud dies, however it dies. Set by the child itself: Python code between
# fork and exec could meet a lock that another thread held.
_BOOTSTRAP = """
import os, sys
parent, paths = int(sys.argv.pop()), sys.argv.pop()
sys.path[:0] = [path for path in paths.split(os.pathsep) if path]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != parent:
        os._exit(1)
from awslambdaric.__main__ import main
main(sys.argv)
"""


@dataclass(frozen=True, slots=True)
class Program:
    """What the processes of one function have in common."""

    name: str
    handler: str
    cwd: str
    layers: tuple[str, ...] = ()
    """Folders of the import path behind `cwd`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The environment of all of them."""
    isolation: Isolation | None = None
    """None for this program's own Python with all its packages."""

    @property
    def command(self) -> list[str]:
        """The runtime's command line: -I and -S keep out whatever else this machine's Python could import."""
        if self.isolation is None:
            return [sys.executable, "-c", _BOOTSTRAP, self.handler, "", str(os.getpid())]
        paths = os.pathsep.join([self.cwd, *self.layers, str(self.isolation.runtime)])
        python = str(self.isolation.python)
        return [python, "-I", "-S", "-B", "-c", _BOOTSTRAP, self.handler, paths, str(os.getpid())]


class Process(Protocol):
    """One that runs, or ran."""

    pid: int

    @property
    def output(self) -> IO[bytes]:
        """Both its outputs."""

    def poll(self) -> int | None:
        """Its exit status, or the negative number of the signal that ended it; None while it runs."""

    def wait(self) -> int:
        """The same, when it has ended."""

    def kill(self) -> None:
        """Kill it and all that it started; harmless when it has ended."""


class Starter(Protocol):
    """Starts processes that end with this one, however it ends."""

    def start(self, program: Program, own: Mapping[str, str]) -> Process:
        """One whose environment has `own` besides. Raises OSError, also once stopped."""

    def forget(self, name: str) -> None:
        """A program's files may change now: what was read of them is given up, and its processes end."""

    def stop(self) -> None:
        """Start no more, and end what still runs."""


class Spawner:
    """Starts each by itself, from one thread that stays: a process asked to die with its parent dies with that."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def start(self, program: Program, own: Mapping[str, str]) -> Process:
        return Spawned(self.popen(program.command, {**program.variables, **own}, program.cwd, subprocess.PIPE))

    def forget(self, name: str) -> None:
        """Nothing is known: each process reads its files itself."""

    def popen(
        self, command: list[str], variables: Mapping[str, str], cwd: str, output: int, keep: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Any command, in a session of its own. Raises OSError, also once stopped."""
        try:
            starting = self._thread.submit(_popen, command, dict(variables), cwd, output, keep)
        except RuntimeError as error:  # the executor's word for "shut down"
            raise OSError("the functions are being stopped") from error
        return starting.result()

    def stop(self) -> None:
        self._thread.shutdown()


def _popen(
    command: list[str], environment: dict[str, str], cwd: str, output: int, keep: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=keep,
    )


class Spawned:
    """A child of this process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self.pid = child.pid

    @property
    def output(self) -> IO[bytes]:
        assert self._child.stdout is not None  # noqa: S101  it was asked for
        return self._child.stdout

    def poll(self) -> int | None:
        return self._child.poll()

    def wait(self) -> int:
        return self._child.wait()

    def kill(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it may end just now
                os.killpg(self.pid, signal.SIGKILL)
