"""Lambda's execution environments: processes of the runtime, kept warm, one invocation at a time in each."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping

from local.aws.invocations import FunctionSpec, Invocation, Outcome, failure
from local.aws.obstacles import CALLER_VARIABLE
from local.aws.processes import Program, Starter
from local.aws.runtime_api import RuntimeApi

LogLine = Callable[[str], None]

# AWS allows 10 seconds; a laptop that also runs the fleet imports slower than AWS does.
INIT_TIMEOUT_S = 60.0
_NUMBERS = itertools.count(1)


class Environment:
    """One runtime process."""

    def __init__(
        self, spec: FunctionSpec, function_arn: str, variables: Mapping[str, str], starter: Starter, log: LogLine
    ) -> None:
        """Start the process; it isn't ready yet. Raises OSError."""
        self.id = f"{spec.name}-{next(_NUMBERS)}"
        self._api = RuntimeApi(function_arn)
        self._log = log
        self.current: Invocation | None = None
        """The last one that it was given, which may be over."""
        self.idle_since = time.monotonic()
        program = Program(
            spec.name, spec.handler, str(spec.code_root), tuple(map(str, spec.layers)), variables, spec.isolation
        )
        own = {"AWS_LAMBDA_RUNTIME_API": self._api.address, CALLER_VARIABLE: self.id}
        try:
            self._process = starter.start(program, own)
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
        self.current = invocation
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
        self._process.kill()

    def end(self) -> None:
        """Kill it; returns when it is gone."""
        self.kill()
        self._process.wait()
        # Limited, because a process that left the group could hold the pipe open for ever.
        self._watcher.join(timeout=5)

    def has_ended(self, within_s: float) -> bool:
        """Whether its process ends by then."""
        self._watcher.join(within_s)
        return not self._watcher.is_alive()

    def _watch(self) -> None:
        """Pass the process's output on, line by line, until it ends."""
        with self._process.output as output:
            for line in output:
                self._log(line.decode(errors="replace").rstrip("\n"))
        status = self._process.wait()
        if self.current is not None:
            self.current.finish(failure("Runtime.ExitError", f"the runtime exited with status {status}"))
        self._api.close()
