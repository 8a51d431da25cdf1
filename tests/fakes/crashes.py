"""A process that dies, or is held up, at its k-th call of a port: before it, or between its effect and its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

P = TypeVar("P")


class Crash(BaseException):
    """The process ends here; whatever it would do on its way out fails too."""


class Interruption:
    """Counts the calls of all ports that it wraps, and interrupts one of them; at 0 none.

    Odd numbers interrupt before the call, even ones after its effect: `2 * n - 1` and `2 * n` are about the n-th.
    Without `meanwhile` the process dies there; with it, that is done there and then the process goes on.
    """

    def __init__(self, at: int = 0, meanwhile: Callable[[], None] | None = None) -> None:
        self._at = at
        self._meanwhile = meanwhile
        self._dead = False
        self.calls = 0
        self.met = ""

    def over(self, port: P) -> P:
        """The port, wrapped."""
        return cast("P", _Wrapped(port, self))

    def run(self, name: str, call: Callable[[], Any]) -> Any:
        if self._dead:
            raise Crash(self.met)
        self.calls += 1
        number = self.calls
        if self._at == 2 * number - 1:
            self._interrupt(f"before {name}")
        answer = call()
        if self._at == 2 * number:
            self._interrupt(f"after {name}")
        return answer

    def _interrupt(self, where: str) -> None:
        self.met = where
        if self._meanwhile is not None:
            self._meanwhile()
            return
        self._dead = True
        raise Crash(where)


class _Wrapped:
    def __init__(self, port: object, interruption: Interruption) -> None:
        self._port = port
        self._interruption = interruption

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._interruption.run(name, lambda: found(*args, **kwargs))
