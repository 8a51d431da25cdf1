"""One live node: its first process, its namespaces, and how to run a command in them."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from local.machines import CommandOutput, Instance, MachineError, NodeCommand
from local.machines.filesystem import NODE_PATH, SOURCES
from local.machines.processes import SYSTEM_PATH, Process, piped

TIMED_OUT = 137
"""Exit code of a command that was ended for its time, as the SSM agent reports it."""
_BIRTH_TIMEOUT_S = 20.0
_NAMESPACES = ("mnt", "uts", "net", "pid")
_FLAGS = {"mnt": "--mount", "uts": "--uts", "net": "--net", "pid": "--pid"}
_COMMANDS = "/run/swarmkeeper/commands"
_MAX_OUTPUT_BYTES = 1 << 20


@dataclass(slots=True)
class Node:
    """A booted node. Its namespaces are held by handles, so a command can never hit a stranger with its pid."""

    instance: Instance
    folder: Path
    process: Process
    parent: subprocess.Popen[bytes]
    """The host's side of process 1, which ends with it."""
    region: str
    namespaces: Mapping[str, int]
    """Namespace kind -> file descriptor."""
    _closing: threading.Lock = field(default_factory=threading.Lock)

    def alive(self) -> bool:
        """Whether process 1 lives."""
        return self.process.alive()

    def run(self, command: NodeCommand) -> CommandOutput:
        """Run the script as root on the node; raises MachineError when the node has ended or ends meanwhile."""
        name = uuid.uuid4().hex
        place = self.folder / "commands" / name
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            try:
                place.mkdir(mode=0o700)
                (place / "script.sh").write_text(command.script)
                code = self._execute(f"{_COMMANDS}/{name}/script.sh", command, stdout, stderr)
            except OSError as error:
                raise MachineError(f"{self.instance.id}: {error}") from error
            finally:
                shutil.rmtree(place, ignore_errors=True)  # the node's end may have removed it
            if not self.alive():
                raise MachineError(f"{self.instance.id} has ended")
            return CommandOutput(code, _text(stdout), _text(stderr))

    def end(self) -> None:
        """End every process on the node; safe to repeat."""
        with self._closing:
            self.process.end()
            self.parent.wait()
            for handle in self.namespaces.values():
                with contextlib.suppress(OSError):  # closed by an earlier call
                    os.close(handle)
            self.namespaces = {}

    def _execute(self, script: str, command: NodeCommand, stdout: IO[bytes], stderr: IO[bytes]) -> int:
        handles = dict(self.namespaces)
        if not handles:
            raise MachineError(f"{self.instance.id} has ended")
        environment = {
            "PATH": NODE_PATH,
            "LANG": "C.UTF-8",
            "AWS_SSM_INSTANCE_ID": self.instance.id,
            "AWS_SSM_REGION_NAME": self.region,
        }
        enter = [f"{_FLAGS[kind]}=/proc/self/fd/{handle}" for kind, handle in handles.items()]
        running = subprocess.Popen(
            [str(shutil.which("nsenter", path=SYSTEM_PATH)), *enter, "--", "/bin/bash", script],
            stdin=subprocess.DEVNULL,
            # Files, not pipes: an engine that the script leaves running must not keep us waiting for its output.
            stdout=stdout,
            stderr=stderr,
            env=environment,
            pass_fds=tuple(handles.values()),
            start_new_session=True,
        )
        try:
            return _exit_code(running.wait(command.timeout_s))
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            return TIMED_OUT


def boot(
    instance: Instance, folder: Path, environment: Mapping[str, str], region: str, plug_in: Callable[[int], None]
) -> Node:
    """Boot a node from its filled folder; plug_in lays its network cable to a pid.

    Raises MachineError with the console's words when it doesn't come up.
    """
    parent = _spawn_init(folder, environment)
    try:
        _expect(parent, b"born")
        process = _first_process(folder)
        plug_in(process.pid)
        piped(parent.stdin).write(b"go\n")
        _expect(parent, b"ready")
        return Node(instance, folder, process, parent, region, _open_namespaces(process))
    except (MachineError, OSError) as error:
        _abort(parent, folder)
        console = (folder / "console.log").read_text(errors="replace").strip()
        raise MachineError(f"{instance.id} doesn't boot: {error}; {console or 'its console is empty'}") from error
    finally:
        for pipe in (parent.stdin, parent.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def _spawn_init(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "console.log").open("wb") as console:
        return subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--", "/bin/sh", str(SOURCES / "init.sh")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=console,
            env={"PATH": SYSTEM_PATH, "LC_ALL": "C", "SWK_PATH": NODE_PATH, **environment},
            start_new_session=True,
            bufsize=0,
        )


def _expect(parent: subprocess.Popen[bytes], word: bytes) -> None:
    """Wait for init's next word; raises MachineError when it says another, ends, or says nothing in time."""
    stdout = piped(parent.stdout)
    if not select.select([stdout], [], [], _BIRTH_TIMEOUT_S)[0]:
        raise MachineError(f"no word '{word.decode()}' within {_BIRTH_TIMEOUT_S:.0f} s")
    said = stdout.readline().strip()
    if said != word:
        raise MachineError(f"ended before it was {word.decode()}")


def _first_process(folder: Path) -> Process:
    process = Process.from_file(folder / "pid")
    if process is None:
        raise MachineError("its first process left no pid")
    return process


def _open_namespaces(process: Process) -> dict[str, int]:
    opened = {kind: os.open(f"/proc/{process.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in _NAMESPACES}
    if not process.alive():
        for handle in opened.values():
            os.close(handle)
        raise MachineError("its first process has ended")
    return opened


def _abort(parent: subprocess.Popen[bytes], folder: Path) -> None:
    if process := Process.from_file(folder / "pid"):
        process.end()
    parent.kill()
    parent.wait()


def _exit_code(returned: int) -> int:
    """The shell's number for how a process ended: 128 + signal for one that was killed."""
    return returned if returned >= 0 else 128 - returned


def _text(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read(_MAX_OUTPUT_BYTES).decode(errors="replace")
