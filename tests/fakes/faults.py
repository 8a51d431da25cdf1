"""Faults that a test asks a fake for: an error instead of an answer, before or after the effect."""

from __future__ import annotations

import functools
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Fallible")


@dataclass(frozen=True, slots=True)
class _Fault:
    error: Exception
    after: bool


class Fallible:
    """A fake whose methods can be told to fail; every call goes through one lock, as through one store.

    `calls` counts them by method.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.calls: Counter[str] = Counter()
        self._faults: defaultdict[str, deque[_Fault]] = defaultdict(deque)
        self._meanwhile: dict[str, Callable[[], object]] = {}

    def fail(self, method: str, error: Exception, *, times: int = 1, after: bool = False) -> None:
        """Let the next `times` calls of `method` raise `error`; `after`: the effect happens, the answer is lost."""
        getattr(self, method)  # a misspelt name must not pass in silence
        self._faults[method].extend([_Fault(error, after)] * times)

    def meanwhile(self, method: str, happens: Callable[[], object]) -> None:
        """Have something happen in each call of `method`, before its effect: time goes by, say."""
        getattr(self, method)
        self._meanwhile[method] = happens

    def begin(self, method: str) -> None:
        """Count the call and let happen what happens meanwhile."""
        self.calls[method] += 1
        if (happens := self._meanwhile.get(method)) is not None:
            happens()

    def recover(self) -> None:
        """Forget the faults that nobody has met."""
        self._faults.clear()

    def next_fault(self, method: str) -> _Fault | None:
        """The fault that the call of `method` which is beginning must meet, used up by this."""
        waiting = self._faults[method]
        return waiting.popleft() if waiting else None


def can_fail(method: Callable[Concatenate[F, P], R]) -> Callable[Concatenate[F, P], R]:
    """Run the method alone on its fake, and meet the fault that a test asked for."""

    @functools.wraps(method)
    def run(fake: F, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with fake.lock:
            fake.begin(method.__name__)
            fault = fake.next_fault(method.__name__)
            if fault is not None and not fault.after:
                raise fault.error
            answer = method(fake, *args, **kwargs)
            if fault is not None:
                raise fault.error
            return answer

    return run
