"""Calls of several processes in every order that a seed draws: each stops before every call of any port.

One process moves at a time, so that a seed always gives the same order, whatever the machine does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar, cast

from tests.fakes.crashes import Crash

P = TypeVar("P")
PATIENCE_S = 60.0
"""Longer than any step takes: a test that would hang fails instead."""


class Process:
    """Something that runs in a thread of its own, from one call of a port to the next, when it is let.

    `crash_at` is its n-th call: odd numbers die before a call, even ones between its effect and its answer, as
    `tests.fakes.crashes` counts them; 0 never dies. Whatever a dead process would do on its way out fails too.
    """

    def __init__(self, act: Callable[[Process], object], crash_at: int = 0) -> None:
        self._act = act
        self._crash_at = crash_at
        self._calls = 0
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.ended = False
        self.dead = False
        self.outcome: object = None
        self.error: BaseException | None = None
        self.trace: list[str] = []

    def over(self, port: P) -> P:
        """The port as this process calls it."""
        return cast("P", _Stepped(port, self))

    def begin(self) -> None:
        self._thread.start()
        self._await_stop()

    def step(self) -> None:
        """Let it go on to its next call, or to its end."""
        self._go.release()
        self._await_stop()

    def call(self, name: str, effect: Callable[[], Any]) -> Any:
        """One call of a port, in whichever of the process's threads."""
        self._wait_for_turn()
        self._calls += 1
        self._die_at(2 * self._calls - 1, f"before {name}")
        answer = effect()
        self.trace.append(name)
        self._die_at(2 * self._calls, f"after {name}")
        return answer

    def _wait_for_turn(self) -> None:
        if self.dead:
            raise Crash("dead already")
        self._stopped.release()
        if not self._go.acquire(timeout=PATIENCE_S):
            raise TimeoutError("nobody let this process go on")

    def _die_at(self, number: int, where: str) -> None:
        if number == self._crash_at:
            self.dead = True
            self.trace.append(f"died {where}")
            raise Crash(where)

    def _run(self) -> None:
        try:
            self._wait_for_turn()
            self.outcome = self._act(self)
        except BaseException as error:  # noqa: BLE001  # kept for whoever asks
            self.error = error
        finally:
            self.ended = True
            self._stopped.release()

    def _await_stop(self) -> None:
        if not self._stopped.acquire(timeout=PATIENCE_S):
            raise TimeoutError("a process does not reach its next call")


def interleave(processes: Sequence[Process], chance: Random, check: Callable[[], None]) -> list[int]:
    """Run all to their ends in an order that `chance` draws, with `check` after every step; returns the order.

    Processes run on for a while at times, as on machines, or change at every call.
    """
    for process in processes:
        process.begin()
    order: list[int] = []
    stays = chance.choice([0.0, 0.5, 0.9])
    current = 0
    while waiting := [number for number, process in enumerate(processes) if not process.ended]:
        if current not in waiting or chance.random() >= stays:
            current = chance.choice(waiting)
        processes[current].step()
        order.append(current)
        check()
    return order


class _Stepped:
    def __init__(self, port: object, process: Process) -> None:
        self._port = port
        self._process = process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._process.call(name, lambda: found(*args, **kwargs))
