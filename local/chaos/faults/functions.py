"""Faults of functions: killed, or held up until their time is over, at one of their calls of AWS.

Between an engine's call and the record of it lies a call of AWS, which is where a function dies: before it, the engine
has done its part and nobody has written it down; after it, the record is written and the function doesn't know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping

from local.aws.functions import FunctionService
from local.aws.obstacles import Call, Refused
from local.chaos.faults.kinds import Injected, Injector
from local.chaos.healing import WorkDone
from local.chaos.plan import Kind, Planned
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage

WAITS_S = 90.0
"""How long a fault waits for the function to make its calls."""
UNHEARD = Refused(503, "ServiceUnavailable", "nobody is left to hear this")
HOLDS_UP_AT_MOST_S = 90.0


class Interruption:
    """Counts one function's calls and interrupts the execution environment that makes the `step`-th."""

    def __init__(
        self,
        functions: FunctionService,
        name: str,
        *,
        step: int,
        late: bool,
        interrupt: Callable[[FunctionService, str], None],
    ) -> None:
        self._functions = functions
        self._name = name
        self._step = step
        self._late = late
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._calls = 0
        self._victim = ""
        self.struck = False
        """Whether it has met its function."""
        self.is_over = False
        """Whether the environment that it has met has ended."""

    def before(self, call: Call) -> Refused | None:
        if call.caller == self._victim:
            self._strike(call.caller)
            return UNHEARD
        if self._victim or call.caller.rpartition("-")[0] != self._name or not self._is_its_turn():
            return None
        self._victim = call.caller
        if self._late:
            return None
        self._strike(call.caller)
        return UNHEARD

    def after(self, call: Call) -> None:
        if call.caller == self._victim:
            self._strike(call.caller)

    def _is_its_turn(self) -> bool:
        with self._lock:
            self._calls += 1
            return self._calls == self._step

    def _strike(self, caller: str) -> None:
        self.struck = True
        self._interrupt(self._functions, caller)
        self.is_over = True


def _kill(functions: FunctionService, caller: str) -> None:
    if environment := functions.environment(caller):
        environment.kill()


def _hold_up(functions: FunctionService, caller: str) -> None:
    """Say nothing until the function's time is up, which ends its environment; the SDK's own tries meet the same."""
    waiting = threading.Event()
    for _ in range(int(HOLDS_UP_AT_MOST_S * 10)):
        environment = functions.environment(caller)
        if environment is None or not environment.alive or waiting.wait(0.1):
            return


def _interrupted(interrupt: Callable[[FunctionService, str], None]) -> Injector:
    def inject(stage: Stage, planned: Planned, seen: Snapshot, hit: Collection[str]) -> Injected:
        name = planned.choice(stage.functions())
        functions, obstacles = stage.cloud.functions, stage.cloud.server.obstacles
        one = Interruption(functions, name, step=planned.step, late=planned.late, interrupt=interrupt)
        where = "after" if planned.late else "before"
        return Injected(
            target=f"{name}, {where} its call {planned.step}",
            begin=lambda: obstacles.put_up(one),
            end=lambda: obstacles.take_away(one),
            healing=WorkDone,
            lasts_s=WAITS_S,
            has_struck=lambda: one.struck,
            is_over=lambda: one.is_over,
        )

    return inject


INJECTORS: Mapping[Kind, Injector] = {
    Kind.FUNCTION_KILLED: _interrupted(_kill),
    Kind.FUNCTION_TIMED_OUT: _interrupted(_hold_up),
}
