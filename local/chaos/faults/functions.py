"""Faults of functions: killed, or held up until their time is over, at one of their calls of AWS.

Between an engine's call and the record of it lies a call of AWS, which is where a function dies: before it, the engine
has done its part and nobody has written it down; after it, the record is written and the function doesn't know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from local.aws.environments import Environment
from local.aws.functions import FunctionService
from local.aws.invocations import Invocation
from local.aws.obstacles import Call, Refused
from local.chaos.faults.kinds import Injected, Injector
from local.chaos.healing import WorkDone
from local.chaos.plan import Kind, Planned
from local.chaos.snapshot import Snapshot
from local.chaos.stage import Stage

WAITS_S = 90.0
"""How long a fault waits for the function to make its calls."""
UNHEARD = Refused(503, "ServiceUnavailable", "nobody is left to hear this")
ENDS_WITHIN_S = 5.0
"""An environment, once the time of what runs there is up."""

Interrupt: TypeAlias = Callable[[Environment, Invocation], None]


class Interruption:
    """Counts one function's calls of AWS and interrupts the invocation that makes the `step`-th.

    The invocation is the victim, and not its environment, which may live on: what runs there next is heard.
    """

    def __init__(
        self,
        functions: FunctionService,
        name: str,
        *,
        step: int,
        late: bool,
        interrupt: Interrupt,
    ) -> None:
        self._functions = functions
        self._name = name
        self._step = step
        self._late = late
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._calls = 0
        self._victim: tuple[Environment, Invocation] | None = None
        self.struck = False
        """Whether it has met its function."""
        self.is_over = False
        """Whether what it has met has been interrupted."""

    def before(self, call: Call) -> Refused | None:
        if call.caller.rpartition("-")[0] != self._name:
            return None
        if self._is_its_turn(call) and self._late:
            return None
        return UNHEARD if self._strikes(call) else None

    def after(self, call: Call) -> None:
        self._strikes(call)

    def _is_its_turn(self, call: Call) -> bool:
        """Whether this call makes its invocation the victim."""
        with self._lock:
            self._calls += 1
            if self._victim is not None or self._calls < self._step:
                return False
            environment = self._functions.environment(call.caller)
            if environment is None or environment.current is None:  # its process ends, or hasn't begun: the next one's
                return False
            self._victim = environment, environment.current
            return True

    def _strikes(self, call: Call) -> bool:
        """Interrupt the victim if it makes this call."""
        if self._victim is None:
            return False
        environment, invocation = self._victim
        if call.caller != environment.id or environment.current is not invocation:
            return False
        self.struck = True
        self._interrupt(environment, invocation)
        self.is_over = True
        return True


def _kill(environment: Environment, _: Invocation) -> None:
    environment.kill()


def hold_up(environment: Environment, invocation: Invocation) -> None:
    """Say nothing until the function's time is up, which ends its environment, or it has given up; its tries too."""
    if invocation.is_over(invocation.timeout_s + ENDS_WITHIN_S) and invocation.timed_out:
        environment.has_ended(ENDS_WITHIN_S)


def _interrupted(interrupt: Interrupt) -> Injector:
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
    Kind.FUNCTION_TIMED_OUT: _interrupted(hold_up),
}
