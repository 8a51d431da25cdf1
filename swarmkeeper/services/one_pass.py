"""One call at a time does a piece of work that many events ask for at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from swarmkeeper.errors import Conflict
from swarmkeeper.ports import Clock, StateStore

FACT = "pending-pass"
PASS_S = 45.0
"""A pass that has not ended after this time has died with its function."""
TRIES = 5


@dataclass(frozen=True, slots=True)
class _Mark:
    """Who is at it: since when, until when that may be so, and how often others asked for another round."""

    begun: float
    until: float
    asked: int = 0

    def __str__(self) -> str:
        return f"{self.begun!r} {self.until!r} {self.asked}"

    @classmethod
    def read(cls, text: str) -> _Mark:
        begun, until, asked = text.split()
        return cls(float(begun), float(until), int(asked))


class OnePass:
    """Lets one call at a time through; those that come meanwhile have it go round once more.

    A thousand events may tell of room within a second. Each round reads all that waits, so one that begins after
    the last event serves them all.
    """

    def __init__(self, *, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def run(self, go_round: Callable[[], None]) -> bool:
        """Go round until nobody asks again; False when another call is at it and goes round once more for us."""
        mark = self._begin()
        if mark is None:
            return False
        while mark is not None:
            try:
                go_round()
            except BaseException:
                self._leave(mark)
                raise
            mark = self._end(mark)
        return True

    def _begin(self) -> _Mark | None:
        """Our mark; None when another call is at it, and knows that it must go round again."""
        for _ in range(TRIES):
            text, now = self._store.fact(FACT), self._clock.now()
            known = None if text is None else _Mark.read(text)
            busy = known is not None and now < known.until
            mark = replace(known, asked=known.asked + 1) if known and busy else _Mark(now, now + PASS_S)
            try:
                self._store.replace_fact(FACT, expected=text, value=str(mark))
            except Conflict:
                continue
            return None if busy else mark
        return None  # so many ask at this moment that one of them is served after us; else the schedule serves us

    def _end(self, mark: _Mark) -> _Mark | None:
        """None once nobody has asked for another round; the mark to end with when somebody has."""
        try:
            self._store.replace_fact(FACT, expected=str(mark), value=None)
        except Conflict:
            text = self._store.fact(FACT)
            asked = None if text is None else _Mark.read(text)
            same = asked is not None and (asked.begun, asked.until) == (mark.begun, mark.until)
            return asked if same else None  # not the same: we took too long and another call took over
        return None

    def _leave(self, mark: _Mark) -> None:
        """Let the next call in; whoever asked meanwhile is served by it, or by the schedule."""
        left = self._end(mark)
        if left is not None:
            self._end(left)
