"""One local cloud a machine: a lock that the operating system frees when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

DAEMON = "a local cloud"
PATIENCE_S = 0.3
"""`holder` locks the file for an instant to see whether somebody else does; that must not look like a holder."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who wrote the lock last; `alive` tells whether it still holds it."""

    pid: int
    state_dir: Path
    alive: bool
    what: str
    """What it is, for people; only a DAEMON may be ended by somebody else."""


class AlreadyRunning(Exception):
    """Another local cloud holds the lock."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(_told(holder))
        self.holder = holder


def _told(holder: Holder | None) -> str:
    if holder is None:
        return "another local cloud is just starting on this machine"
    who = f"{holder.what} is running on this machine already (process {holder.pid}, state in {holder.state_dir})"
    return f"{who}; stop it with `swarmkeeper local down`" if holder.what == DAEMON else f"{who}; wait for its end"


def default_lock_path() -> Path:
    """A user's own place for run-time files; real engines need root, so theirs is one place for the machine."""
    if os.geteuid() == 0 and Path("/run").is_dir():
        return Path("/run/swarmkeeper-local.lock")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"swarmkeeper-local-{os.geteuid()}.lock"


def default_state_dir() -> Path:
    """Where a local cloud keeps its files unless told otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/swarmkeeper-local")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "swarmkeeper-local"


class MachineLock:
    """The lock, held from `acquire` until `release` or the end of this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path, state_dir: Path, what: str = "a test run on real engines") -> MachineLock:
        """Take the lock and record this process in it. Raises AlreadyRunning."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            locked = _try_lock(descriptor, fcntl.LOCK_EX)
            if locked and _is_still(path, descriptor):
                break
            os.close(descriptor)  # unlocked; or its last holder removed the file between our open and our lock
            if not locked and time.monotonic() > deadline:
                raise AlreadyRunning(holder(path))
            time.sleep(0.02)
        os.ftruncate(descriptor, 0)
        record = {"pid": os.getpid(), "state_dir": str(state_dir), "what": what}
        os.pwrite(descriptor, json.dumps(record).encode(), 0)
        return cls(path, descriptor)

    def release(self) -> None:
        """Remove the file, then free the lock; safe to repeat."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1


def holder(path: Path) -> Holder | None:
    """Who holds or held the lock; None when the file isn't there or nothing has been written yet."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        alive = not _try_lock(descriptor, fcntl.LOCK_SH)
        record = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
    finally:
        os.close(descriptor)
    if not record:
        return None
    return Holder(int(record["pid"]), Path(record["state_dir"]), alive, str(record["what"]))


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
