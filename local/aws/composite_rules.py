"""Rules of composite alarms: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c))`. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from local.aws.alarm_rules import AlarmState

States = Mapping[str, AlarmState]
"""The states of alarms by name."""
TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[^\s()\"]+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE|\(|\)))"
)


class RuleError(ValueError):
    """A rule that CloudWatch would refuse."""


@dataclass(frozen=True, slots=True)
class CompositeRule:
    """A rule that was read; `children` are the names of the alarms in it."""

    holds: Callable[[States], bool]
    children: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> CompositeRule:
        """Raises RuleError."""
        reader = _Reader(_tokens(text))
        holds = reader.either()
        if reader.rest:
            raise RuleError(f"the rule can't be read from {reader.rest[0]!r} on")
        return cls(holds, tuple(dict.fromkeys(reader.children)))


def _tokens(text: str) -> list[str | tuple[AlarmState, str]]:
    found: list[str | tuple[AlarmState, str]] = []
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise RuleError(f"the rule can't be read from {text[at:].strip()!r} on")
        at = match.end()
        if match["word"]:
            found.append(match["word"])
        else:
            name = match["quoted"] or match["bare"]
            found.append((AlarmState(match["state"]), name.rpartition(":alarm:")[2]))
    return found


class _Reader:
    """Reads by precedence: NOT, then AND, then OR."""

    def __init__(self, tokens: Sequence[str | tuple[AlarmState, str]]) -> None:
        self.rest = list(tokens)
        self.children: list[str] = []

    def either(self) -> Callable[[States], bool]:
        parts = [self._both()]
        while self._taken("OR"):
            parts.append(self._both())
        return lambda states: any(part(states) for part in parts)

    def _both(self) -> Callable[[States], bool]:
        parts = [self._one()]
        while self._taken("AND"):
            parts.append(self._one())
        return lambda states: all(part(states) for part in parts)

    def _one(self) -> Callable[[States], bool]:
        if self._taken("NOT"):
            inner = self._one()
            return lambda states: not inner(states)
        if self._taken("("):
            inner = self.either()
            if not self._taken(")"):
                raise RuleError("a bracket of the rule isn't closed")
            return inner
        if self._taken("TRUE"):
            return lambda _: True
        if self._taken("FALSE"):
            return lambda _: False
        return self._child()

    def _child(self) -> Callable[[States], bool]:
        child = self.rest.pop(0) if self.rest else ""
        if isinstance(child, str):
            raise RuleError("the rule lacks an alarm where one is needed")
        wanted, name = child
        self.children.append(name)
        return lambda states: states.get(name) is wanted

    def _taken(self, word: str) -> bool:
        if self.rest and self.rest[0] == word:
            self.rest.pop(0)
            return True
        return False
