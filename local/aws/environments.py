"""Lambda's execution environments: processes of the runtime, kept warm, one invocation at a time in each."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from local.aws.invocations import FunctionSpec, Invocation, Outcome, failure
from local.aws.obstacles import CALLER_VARIABLE
from local.aws.runtime_api import RuntimeApi

LogLine = Callable[[str], None]

# AWS allows 10 seconds; a laptop that also runs the fleet imports slower than AWS does.
INIT_TIMEOUT_S = 60.0
_NUMBERS = itertools.count(1)

# Linux ends the runtime when the local cloud dies, however it dies. Set by the child itself: Python code between
# fork and exec could meet a lock that another thread held.
_BOOTSTRAP = """
import os, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != int(sys.argv.pop()):
        os._exit(1)
else:
    sys.argv.pop()
from awslambdaric.__main__ import main
main(sys.argv)
"""


class Spawner:
    """Starts processes from one thread that stays: a process asked to die with its parent dies with that thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def start(self, command: list[str], environment: Mapping[str, str], cwd: str) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, its two outputs in one pipe. Raises OSError, also once stopped."""
        try:
            starting = self._thread.submit(_popen, command, dict(environment), cwd)
        except RuntimeError as error:  # the executor's word for "shut down"
            raise OSError("the functions are being stopped") from error
        return starting.result()

    def stop(self) -> None:
        """End the thread, and so what it started and still runs."""
        self._thread.shutdown()


def _popen(command: list[str], environment: dict[str, str], cwd: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


class Environment:
    """One runtime process."""

    def __init__(
        self, spec: FunctionSpec, function_arn: str, variables: Mapping[str, str], spawner: Spawner, log: LogLine
    ) -> None:
        """Start the process; it isn't ready yet. Raises OSError."""
        self.id = f"{spec.name}-{next(_NUMBERS)}"
        self._api = RuntimeApi(function_arn)
        self._log = log
        self._current: Invocation | None = None
        self.idle_since = time.monotonic()
        command = [sys.executable, "-c", _BOOTSTRAP, spec.handler, str(os.getpid())]
        variables = {**variables, "AWS_LAMBDA_RUNTIME_API": self._api.address, CALLER_VARIABLE: self.id}
        try:
            self._process = spawner.start(command, variables, str(spec.code_root))
        except OSError:
            self._api.close()
            raise
        self._watcher = threading.Thread(target=self._watch, name=f"lambda-{spec.name}", daemon=True)
        self._watcher.start()

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation."""
        return self._process.poll() is None and self._api.init_error is None

    def initialise(self) -> Outcome | None:
        """Wait until the runtime has imported the handler; the error if it couldn't."""
        if not self._api.ready.wait(INIT_TIMEOUT_S):
            self.end()
            return failure("Sandbox.Timedout", f"the runtime wasn't ready in {INIT_TIMEOUT_S:.0f} seconds")
        if self._api.init_error is not None:
            self.end()
            return self._api.init_error
        return None if self.alive else failure("Runtime.ExitError", "the runtime exited while it started")

    def run(self, invocation: Invocation) -> Outcome:
        """Run one invocation to its end; ends the environment when that is a time-out."""
        self._current = invocation
        invocation.start()
        self._api.give(invocation)
        if not self._watcher.is_alive():  # it may have ended before it could see this invocation
            invocation.finish(failure("Runtime.ExitError", "the runtime has exited"))
        outcome = invocation.wait()
        if invocation.timed_out:
            self.end()
        self.idle_since = time.monotonic()
        return outcome

    def kill(self) -> None:
        """Kill the process and all that it started, at whatever it is."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it may end just now
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it; returns when it is gone."""
        self.kill()
        self._process.wait()
        # Limited, because a process that left the group could hold the pipe open for ever.
        self._watcher.join(timeout=5)

    def _watch(self) -> None:
        """Pass the process's output on, line by line, until it ends."""
        assert self._process.stdout is not None  # noqa: S101  it was asked for
        with self._process.stdout as output:
            for line in output:
                self._log(line.decode(errors="replace").rstrip("\n"))
        status = self._process.wait()
        if self._current is not None:
            self._current.finish(failure("Runtime.ExitError", f"the runtime exited with status {status}"))
        self._api.close()
