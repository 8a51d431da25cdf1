"""Run as a program: imports once what many processes need, and becomes each of them by a fork.

Only the standard library is imported here, and nothing of this project: a function must find its own modules.
It is told what to do over one socket, message by message; docs/local-cloud.md says why it is there.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterable

PR_SET_PDEATHSIG = 1
MESSAGE_BYTES = 128 * 1024
MAX_FDS = 2

Message = dict[str, object]


class Parent:
    """Serves one socket. `serve` returns once in every process that is to be something else, and when nobody asks."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._children: set[int] = set()
        self._told: set[int] = set()
        """Children that have ended, whose ids the other side may still want to signal: kept until it says so."""
        self.had_threads = False
        """In a child: whether this had threads besides the one that has forked it."""
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)

    def serve(self) -> tuple[Message, list[int]] | None:
        """In a child: what it is to be, with the descriptors that came along. None when the socket was closed."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([self._asked.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 1024)
                self._tell_ends()
            if self._asked.fileno() not in ready:
                continue
            packet, fds, _, _ = socket.recv_fds(self._asked, MESSAGE_BYTES, MAX_FDS)
            if not packet:
                return None
            message: Message = json.loads(packet)
            if "reap" in message:
                self._reap(int(str(message["reap"])))
            elif self._has_forked(fds):
                return message, fds

    def _has_forked(self, fds: Iterable[int]) -> bool:
        """True in the child."""
        parent = os.getpid()
        self.had_threads = threading.active_count() > 1
        pid = os.fork()
        if pid == 0:
            self._leave(parent)
            return True
        with contextlib.suppress(PermissionError):  # it has done so itself, and is another program already
            os.setpgid(pid, pid)  # before anybody hears of it and may signal its group
        self._children.add(pid)
        for fd in fds:
            os.close(fd)
        self._asked.send(json.dumps({"pid": pid}).encode())
        return False

    def _leave(self, parent: int) -> None:
        """Be a process of its own, which ends with its parent."""
        os.setpgid(0, 0)
        die_with(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._asked.close()
        os.close(self._woken)
        os.close(self._wake)

    def _tell_ends(self) -> None:
        for pid in self._children - self._told:
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
                self._told.add(pid)
                self._asked.send(json.dumps({"ended": pid, "status": status}).encode())

    def _reap(self, pid: int) -> None:
        os.waitpid(pid, 0)
        self._children.discard(pid)
        self._told.discard(pid)


def die_with(parent: int) -> None:
    """Let Linux end this process with its parent, however that dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def import_if_there(names: Iterable[str]) -> None:
    """Import what can be imported. What can't fails again in the process that needs it, which tells why."""
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001  a module may do anything, such as to exit
            print(f"not imported beforehand: {name}: {type(error).__name__}", file=sys.stderr)


def stay() -> None:
    """What has been made until now is for all that is forked from here."""
    sys.stdout.flush()  # or each child would write it again
    sys.stderr.flush()
    gc.collect()
    gc.freeze()  # what is there stays: pages that the collector doesn't touch remain shared


def keep_descriptions(services: Iterable[str]) -> None:
    """Read what botocore's clients of these services read first, and let all that is forked find it read.

    Files of megabytes, of which each session reads its own; botocore takes what it has read as it is.
    """
    if "botocore.loaders" not in sys.modules:
        return
    loaders, sessions = importlib.import_module("botocore.loaders"), importlib.import_module("botocore.session")
    read, kept = loaders.JSONFileLoader.load_file, dict[str, object]()

    def load_file(loader: object, path: str) -> object:
        if path not in kept:
            kept[path] = read(loader, path)
        return kept[path]

    loaders.JSONFileLoader.load_file = load_file
    session = sessions.Session()
    session.set_credentials("nobody", "nothing")
    for service in services:
        session.create_client(service, region_name="eu-central-1").close()


def become_parent(message: Message, fds: list[int]) -> Parent:
    """Be what functions of one kind are forked from, with their variables and their handler's module."""
    _take(message)
    asked, output = fds
    _write_to(output)
    import_if_there(map(str, _list(message["modules"])))
    stay()
    return Parent(socket.socket(fileno=asked))


def become_runtime(message: Message, fds: list[int], *, had_threads: bool) -> None:
    """Be Lambda's runtime. Never returns."""
    _take(message)
    _write_to(fds[0])
    arguments = [str(one) for one in _list(message["arguments"])]
    if had_threads or "runtime_client" in sys.modules:
        # Threads aren't forked, and the runtime's client keeps the address that it found when it was imported.
        os.execv(sys.executable, [sys.executable, "-c", _AFRESH, *arguments])  # noqa: S606  no shell is wanted
    from awslambdaric.__main__ import main  # type: ignore[import-untyped]  # it has no types

    sys.argv = ["", *arguments]
    main(sys.argv)


_AFRESH = "import sys; from awslambdaric.__main__ import main; main(sys.argv)"


def _take(message: Message) -> None:
    variables = message["variables"]
    assert isinstance(variables, dict)  # noqa: S101  what the other side sends
    os.environ.update({str(name): str(value) for name, value in variables.items()})
    if "cwd" in message:
        os.chdir(str(message["cwd"]))
        sys.path.insert(0, str(message["cwd"]))


def _write_to(output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def _list(value: object) -> list[object]:
    assert isinstance(value, list)  # noqa: S101  what the other side sends
    return value


def main() -> None:
    die_with(int(sys.argv[1]))
    wanted = json.loads(sys.argv[3])
    import_if_there(wanted["modules"])
    keep_descriptions(wanted["services"])
    stay()
    parent = Parent(socket.socket(fileno=int(sys.argv[2])))
    while (found := parent.serve()) is not None:
        if "modules" not in found[0]:
            become_runtime(*found, had_threads=parent.had_threads)
        parent = become_parent(*found)


if __name__ == "__main__":
    main()
