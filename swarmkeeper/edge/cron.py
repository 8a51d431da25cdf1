"""Cron expressions in a time zone: when a schedule came into force last, and the same hour of past weeks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

FIELDS = 5
CLOCK_CHANGE = timedelta(hours=3)
"""Longer than any clock change: within one, the hours of the wall repeat or are missing."""


def check_cron(text: str) -> str:
    """The expression itself. Raises ValueError for anything but five fields that some day matches."""
    if len(text.split()) != FIELDS:
        raise ValueError(f"{text!r} is not five fields: minute, hour, day of month, month, day of week")
    try:
        fires = next(CronSim(text, datetime(2024, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        raise ValueError(f"{text!r}: {error}") from error
    if fires is None:
        raise ValueError(f"{text!r} is never due")
    return text


def check_timezone(name: str) -> str:
    """The name itself. Raises ValueError when it names no time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone such as Europe/Berlin or UTC") from error
    return name


def last_due(cron: str, timezone: str, now: float) -> float | None:
    """When the expression was due last, `now` included; None when it has not been in fifty years.

    As Debian's cron has it: a fixed hour that the clock jumps over is due right after the jump, one that comes twice
    is due the first time; an expression with `*` in minute or hour follows the clock.
    """
    zone = _zone(timezone)
    # From behind: at a clock change the hours of the wall are not in the order in which they happened.
    start = datetime.fromtimestamp(now, zone) + CLOCK_CHANGE
    return next((due for due in _backwards(cron, start) if due <= now), None)


def weeks_before(now: float, weeks: int, timezone: str) -> tuple[float, ...]:
    """The same time by the clock on the wall one to `weeks` weeks ago, the latest first."""
    local = datetime.fromtimestamp(now, _zone(timezone))
    return tuple((local - timedelta(weeks=ago)).timestamp() for ago in range(1, weeks + 1))


def _backwards(cron: str, start: datetime) -> Iterator[float]:
    return (due.timestamp() for due in CronSim(cron, start.replace(microsecond=0), reverse=True))


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
