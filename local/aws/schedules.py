"""EventBridge rules with a schedule: `rate(...)` fires on real time; `cron(...)` isn't there and says so."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.events.exceptions import ValidationException

from local.aws.bus import Bus, Event
from local.aws.disturbance import Dice, Disturbance
from local.aws.server import AwsServer
from local.aws.timers import Timers

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 0.5

_RATE = re.compile(r"rate\((\d+) (minute|minutes|hour|hours|day|days)\)")
_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}


class InvalidScheduleError(ValueError):
    """AWS would refuse the expression, or it is one that we don't have."""


def interval_s(expression: str) -> float:
    """The seconds between two firings of `rate(5 minutes)`. Raises InvalidScheduleError.

    As on AWS a value of 1 goes with the singular, and every other with the plural.
    """
    if expression.startswith("cron("):
        raise InvalidScheduleError(f"{expression}: the local cloud runs rate(...) schedules only")
    found = _RATE.fullmatch(expression)
    if found is None:
        raise InvalidScheduleError(f"{expression!r} isn't a schedule such as rate(5 minutes)")
    value, unit = int(found.group(1)), found.group(2)
    if value < 1 or (value == 1) == unit.endswith("s"):
        raise InvalidScheduleError(f"{expression!r}: the value must be above 0, and its unit singular only for 1")
    return value * _SECONDS[unit.removesuffix("s")]


class Schedules:
    """Fires the scheduled rules of the default bus until `stop`."""

    def __init__(self, server: AwsServer, bus: Bus, disturbance: Disturbance | None = None) -> None:
        """The first firing of a rule is at a random time within its rate: it starts when AWS gets to it."""
        self._bus = bus
        self._dice = Dice(disturbance or Disturbance())
        self._backend = server.backend("events")
        self._put_rule: Callable[..., Any] = self._backend.put_rule
        self._backend.put_rule = self._answer_put_rule
        self._next: dict[tuple[str, str], float] = {}
        self._timers = Timers("schedules")
        self._timers.every(CHECK_EVERY_S, lambda: self.fire_due(time.monotonic()))

    def fire_due(self, now: float) -> int:
        """Fire every rule that is due at `now` (seconds of one clock) and return how many there were."""
        rules = [rule for rule in list(self._backend.event_buses["default"].rules.values()) if _is_scheduled(rule)]
        known = {(str(rule.name), str(rule.scheduled_expression)): rule for rule in rules}
        self._next = {key: due for key, due in self._next.items() if key in known}
        return sum(self._fire_if_due(key, rule, now) for key, rule in known.items())

    def stop(self) -> None:
        """Fire no more."""
        self._timers.stop()

    def _fire_if_due(self, key: tuple[str, str], rule: Any, now: float) -> bool:
        every_s = interval_s(key[1])
        due = self._next.setdefault(key, now + every_s * self._dice.fraction())
        if now < due:
            return False
        self._next[key] = max(due + every_s, now)  # firings that were missed aren't made up for
        self._bus.deliver(str(rule.arn), list(rule.targets), _event(str(rule.arn)))
        return True

    def _answer_put_rule(self, *args: Any, **kwargs: Any) -> Any:
        """Answer PutRule: an expression that would never fire is refused."""
        if kwargs.get("scheduled_expression"):
            try:
                interval_s(kwargs["scheduled_expression"])
            except InvalidScheduleError as error:
                raise ValidationException(f"Parameter ScheduleExpression is not valid. {error}") from error
        return self._put_rule(*args, **kwargs)


def _is_scheduled(rule: Any) -> bool:
    return bool(rule.scheduled_expression) and rule.state == "ENABLED"


def _event(rule_arn: str) -> Event:
    return Event(
        id=str(uuid.uuid4()),
        source="aws.events",
        detail_type="Scheduled Event",
        detail={},
        resources=(rule_arn,),
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
