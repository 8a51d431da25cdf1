"""A Lambda function, one call of it, and how the call ended."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

UNHANDLED = "Unhandled"
"""The only function error that a managed runtime reports."""


@dataclass(frozen=True, slots=True)
class AsyncPolicy:
    """What becomes of an asynchronous invocation that fails; the defaults are AWS's."""

    max_retries: int = 2
    max_age_s: float = 21_600.0
    on_failure_arn: str = ""
    on_success_arn: str = ""


@dataclass(frozen=True, slots=True)
class Isolation:
    """A Python apart for a function: it imports from its own folders and the standard library, and nothing else."""

    python: Path
    version: str
    """As 3.13."""
    runtime: Path
    """The folder that holds Lambda's runtime client."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function as its template describes it."""

    name: str
    handler: str
    code_root: Path
    """The folder that holds the code: the working directory, and first on the import path."""
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 3.0
    memory_mb: int = 128
    reserved_concurrency: int | None = None
    layers: tuple[Path, ...] = ()
    """More folders for the import path."""
    isolation: Isolation | None = None
    """None for this program's own Python with all its packages."""
    snapshots: bool = False
    """Whether published versions start from snapshots (SnapStart)."""
    published: Mapping[str, str] = field(default_factory=dict)
    """Versions and aliases, each with the version that it runs: all run the code that is registered."""
    dead_letter_arn: str = ""
    async_policy: AsyncPolicy = AsyncPolicy()

    @property
    def version(self) -> str:
        """The last version that was published, which every call runs here; $LATEST where none was."""
        return max(self.published.values(), key=int, default="$LATEST")

    @property
    def starts_from_snapshot(self) -> bool:
        return self.snapshots and bool(self.published)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended."""

    payload: bytes
    """What the handler returned, or the error, as JSON."""
    error: str = ""
    """`Unhandled`, or empty when the handler returned."""

    @property
    def succeeded(self) -> bool:
        """Whether the handler returned."""
        return not self.error


class Invocation:
    """One call of a function, waiting for its outcome."""

    def __init__(self, payload: bytes, timeout_s: float, request_id: str = "") -> None:
        self.id = request_id or str(uuid.uuid4())
        self.payload = payload
        self.timeout_s = timeout_s
        self.deadline_ms = 0
        self._outcome: Outcome | None = None
        self._done = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Set the time limit running."""
        self.deadline_ms = int((time.time() + self.timeout_s) * 1000)

    def finish(self, outcome: Outcome) -> None:
        """Say how it ended; only the first word counts."""
        with self._lock:
            if self._outcome is None:
                self._outcome = outcome
                self._done.set()

    def wait(self) -> Outcome:
        """The outcome, or that of a time-out once the time limit has passed."""
        self._done.wait(self.timeout_s)
        self.finish(failure("Sandbox.Timedout", self._timed_out()))
        assert self._outcome is not None  # noqa: S101  finish has just seen to it
        return self._outcome

    def is_over(self, within_s: float) -> bool:
        """Whether it ends by then, however it does."""
        return self._done.wait(within_s)

    @property
    def timed_out(self) -> bool:
        """Whether the time limit ended it."""
        return self._outcome is not None and b"Sandbox.Timedout" in self._outcome.payload

    def _timed_out(self) -> str:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        return f"{now}Z {self.id} Task timed out after {self.timeout_s:.2f} seconds"


def failure(error_type: str, message: str) -> Outcome:
    """The outcome of a call that the runtime, not the handler, ended."""
    return Outcome(json.dumps({"errorType": error_type, "errorMessage": message}).encode(), UNHANDLED)
