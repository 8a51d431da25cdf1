"""Starts functions' processes by forking one that has imported what they need, as `fork_parent` does it.

An environment's imports are half a second of computing, and a local cloud starts dozens. All functions' processes come
from one parent with the packages that all import; each function has a parent of its own with its handler's module.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from local.aws import fork_parent
from local.aws.processes import Process, Program, Spawned, Spawner, Starter

START_TIMEOUT_S = 60.0
"""For imports before the first fork."""
SHARED_MODULES = (
    "aws_lambda_powertools.utilities.batch",
    "botocore.client",
    "botocore.session",
    "cryptography.x509",
    "docker",
    "pydantic",
)
"""Packages only, which don't read their environment: the functions' own modules may, and theirs differ."""
SHARED_SERVICES = (
    "autoscaling",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "events",
    "secretsmanager",
    "sqs",
    "ssm",
)
"""Whose clients functions make: each begins by reading the service's description, EC2's of 4 MB."""
STDERR = 2
_SHARED_VARIABLES = ("PATH", "LANG", "TZ")

Log = Callable[[str, str], None]


def starter(log: Log) -> Starter:
    """The one that suits this machine: only Linux ends a process with its parent. `log` takes a line of a function."""
    return Forker(log) if sys.platform == "linux" else Spawner()


class Forker:
    """Forks, and starts what is forked from when it is first needed."""

    def __init__(self, log: Log, roots: Roots | None = None) -> None:
        self._log = log
        self._roots = roots or ROOTS
        self._lock = threading.Lock()
        self._parents: dict[str, tuple[Program, Parent]] = {}
        self._spawner = Spawner()
        self._is_stopped = False

    def start(self, program: Program, own: Mapping[str, str]) -> Process:
        """One whose imports are to be looked at, on a Python of its own, does them itself."""
        if program.isolation is not None:
            return self._spawner.start(program, own)
        with _pipe() as (output, write):
            asked = {"variables": dict(own), "arguments": [program.handler]}
            return self._parent(program).fork(asked, [write], output)

    def forget(self, name: str) -> None:
        with self._lock:
            _, parent = self._parents.pop(name, (None, None))
        if parent is not None:
            parent.close()

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            parents = [parent for _, parent in self._parents.values()]
        for parent in parents:
            parent.close()
        self._spawner.stop()

    def _parent(self, program: Program) -> Parent:
        """The parent of a function's processes; another when the function has been replaced."""
        with self._lock:
            if self._is_stopped:
                raise OSError("the functions are being stopped")
            known, parent = self._parents.get(program.name, (None, None))
            if known != program or parent is None or not parent.lives:
                if parent is not None:
                    parent.close()
                parent = self._fork_parent(program)
                self._parents[program.name] = (program, parent)
            return parent

    def _fork_parent(self, program: Program) -> Parent:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked = {
            "variables": dict(program.variables),
            "cwd": program.cwd,
            "modules": [program.handler.rpartition(".")[0]],
        }
        with _ours_alone(ours, theirs), _pipe() as (output, write):
            process = self._roots.root(program).fork(asked, [theirs.fileno(), write], output)
        threading.Thread(
            target=self._pass_on, args=(program.name, output), name=f"imports-{program.name}", daemon=True
        ).start()
        return Parent(ours, process)

    def _pass_on(self, name: str, output: IO[bytes]) -> None:
        """What a module prints while it is imported."""
        with output:
            for line in output:
                self._log(name, line.decode(errors="replace").rstrip("\n"))


class Roots:
    """What all functions with the same packages come from, for as long as this program runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spawner = Spawner()
        self._roots: dict[tuple[tuple[str, str], ...], Parent] = {}

    def root(self, program: Program) -> Parent:
        """The one for the program's packages. Raises OSError when it can't be started."""
        variables = {name: program.variables[name] for name in _SHARED_VARIABLES if name in program.variables}
        variables["PYTHONPATH"] = os.pathsep.join(program.layers)
        key = tuple(sorted(variables.items()))
        with self._lock:
            root = self._roots.get(key)
            if root is not None and root.lives:
                return root
            if root is not None:
                root.close()
            root = self._roots[key] = self._start(variables)
            return root

    def close(self) -> None:
        """End them; what needs one afterwards starts another."""
        with self._lock:
            while self._roots:
                self._roots.popitem()[1].close()

    def _start(self, variables: Mapping[str, str]) -> Parent:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wanted = json.dumps({"modules": SHARED_MODULES, "services": SHARED_SERVICES})
        command = [sys.executable, "-P", fork_parent.__file__, str(os.getpid()), str(theirs.fileno()), wanted]
        with _ours_alone(ours, theirs):
            child = self._spawner.popen(command, variables, "/", STDERR, (theirs.fileno(),))
        return Parent(ours, Spawned(child))


ROOTS = Roots()
atexit.register(ROOTS.close)


@contextlib.contextmanager
def _ours_alone(ours: socket.socket, theirs: socket.socket) -> Iterator[None]:
    """Their end is closed here once they have it; ours stays open unless the block fails."""
    with theirs:
        try:
            yield
        except BaseException:
            ours.close()
            raise


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], int]]:
    """Its two ends; the one to read from stays open unless the block fails."""
    read, write = os.pipe()
    output = os.fdopen(read, "rb")
    try:
        yield output, write
    except BaseException:
        output.close()
        raise
    finally:
        os.close(write)


class Forked:
    """A process that a parent has forked, and whose id stays its own until its end has been noted here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._output: IO[bytes] | None = None
        self._status: int | None = None
        self._changed = threading.Condition()

    @property
    def output(self) -> IO[bytes]:
        assert self._output is not None  # noqa: S101  Parent.fork sets it
        return self._output

    @output.setter
    def output(self, output: IO[bytes]) -> None:
        self._output = output

    def poll(self) -> int | None:
        with self._changed:
            return self._status

    def wait(self) -> int:
        with self._changed:
            while self._status is None:
                self._changed.wait()
            return self._status

    def kill(self) -> None:
        with self._changed:
            if self._status is None:
                with contextlib.suppress(ProcessLookupError):  # its group is empty: it is about to be noted
                    os.killpg(self.pid, signal.SIGKILL)

    def ended(self, status: int) -> None:
        """Note its end."""
        with self._changed:
            self._status = status
            self._changed.notify_all()


class Parent:
    """This side of a `fork_parent.Parent`."""

    def __init__(self, asked: socket.socket, process: Process) -> None:
        self._asked = asked
        self._process = process
        self._children: dict[int, Forked] = {}
        self._new: queue.SimpleQueue[Forked | None] = queue.SimpleQueue()
        self._forking = threading.Lock()
        self._has_hung_up = False  # a moment before the process has ended
        self._reader = threading.Thread(target=self._read, name="fork-parent", daemon=True)
        self._reader.start()

    @property
    def lives(self) -> bool:
        return not self._has_hung_up and self._process.poll() is None

    def fork(self, asked: Mapping[str, object], fds: Sequence[int], output: IO[bytes]) -> Forked:
        """A child that is what is asked. Raises OSError when the parent has gone, or still imports after its time."""
        with self._forking:
            socket.send_fds(self._asked, [json.dumps(asked).encode()], fds)
            try:
                forked = self._new.get(timeout=START_TIMEOUT_S)
            except queue.Empty:
                self._process.kill()  # or its answer would be taken for another's
                raise TimeoutError(f"nothing was forked in {START_TIMEOUT_S:.0f} seconds") from None
        if forked is None:
            raise OSError("what processes are forked from has ended")
        forked.output = output
        return forked

    def close(self) -> None:
        """End it and its children; returns when it has ended."""
        with contextlib.suppress(OSError):  # closed before
            self._asked.shutdown(socket.SHUT_RDWR)
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._asked.close()

    def _read(self) -> None:
        while packet := self._receive():
            message = json.loads(packet)
            if "pid" in message:
                forked = self._children[message["pid"]] = Forked(message["pid"])
                self._new.put(forked)
            else:
                self._children.pop(message["ended"]).ended(message["status"])
                self._tell({"reap": message["ended"]})
        self._has_hung_up = True
        for forked in self._children.values():
            forked.ended(-signal.SIGKILL)  # by Linux, with its parent
        self._new.put(None)

    def _receive(self) -> bytes:
        try:
            return self._asked.recv(fork_parent.MESSAGE_BYTES)
        except OSError:
            return b""

    def _tell(self, message: Mapping[str, object]) -> None:
        with contextlib.suppress(OSError):  # it has ended: nothing is left to be told
            self._asked.send(json.dumps(message).encode())
