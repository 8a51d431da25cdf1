# ruff: noqa: E501  # one case a line reads as a table
"""Schedules by the clock on the wall, also on the days on which it jumps."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from swarmkeeper.edge.cron import check_cron, check_timezone, last_due, weeks_before

ROOT = Path(__file__).parents[3]


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def told(moment: float | None) -> str:
    assert moment is not None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="minutes").removesuffix("+00:00")


@pytest.mark.parametrize(
    ("cron", "zone", "now", "due"),
    [
        pytest.param("0 8 * * MON-FRI", "UTC", "2026-03-04T09:30", "2026-03-04T08:00", id="today"),
        pytest.param("0 8 * * MON-FRI", "UTC", "2026-03-04T08:00", "2026-03-04T08:00", id="this very moment"),
        pytest.param("0 8 * * MON-FRI", "UTC", "2026-03-04T07:59:59", "2026-03-03T08:00", id="a second before"),
        pytest.param("0 8 * * MON-FRI", "UTC", "2026-03-08T12:00", "2026-03-06T08:00", id="over the weekend"),
        pytest.param("0 8 * * *", "Asia/Tokyo", "2026-03-04T12:00", "2026-03-03T23:00", id="another zone"),
        pytest.param("*/15 * * * *", "UTC", "2026-03-04T09:44", "2026-03-04T09:30", id="every quarter of an hour"),
        pytest.param("0 0 29 2 *", "UTC", "2026-03-04T09:44", "2024-02-29T00:00", id="leap day"),
        pytest.param("0 6 * * MON#1", "UTC", "2026-03-04T09:44", "2026-03-02T06:00", id="first Monday"),
        # Berlin, 29 March 2026: 02:00 is followed by 03:00, which is 01:00 UTC.
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-03-29T00:59", "2026-03-28T01:30", id="before the hour that is missing"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00", "2026-03-29T01:00", id="the missing hour is due right after"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-03-30T12:00", "2026-03-30T00:30", id="and the next day as ever"),
        pytest.param("0 8 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-28T07:00", id="eight before the jump"),
        pytest.param("0 8 * * *", "Europe/Berlin", "2026-03-29T12:00", "2026-03-29T06:00", id="eight after the jump"),
        # Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC, and 02:30 comes at 00:30 and 01:30 UTC.
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-10-25T00:29", "2026-10-24T00:30", id="before it comes twice"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T00:30", id="the first time"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", "2026-10-25T00:30", id="while the hour repeats"),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-10-25T01:45", "2026-10-25T00:30", id="not the second time"),
        pytest.param("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:45", "2026-10-25T01:30", id="every half hour goes on"),
    ],
)  # fmt: skip
def test_a_schedule_was_due_last_by_the_clock_of_its_zone(cron: str, zone: str, now: str, due: str) -> None:
    assert told(last_due(cron, zone, at(now))) == due


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("cron", ["0 8 * * MON-FRI", "30 2 * * *", "*/20 * * * *", "0 0 1 * *"])
def test_what_was_due_last_never_goes_back_nor_lies_ahead(cron: str, zone: str) -> None:
    for start in ("2026-03-28T22:00", "2026-10-24T22:00", "2026-04-04T12:00", "2026-11-01T03:00", "2026-03-08T05:00"):
        moments = [at(start) + 600 * step for step in range(60)]
        dues = [last_due(cron, zone, moment) for moment in moments]
        assert all(due is not None and due <= moment for due, moment in zip(dues, moments, strict=True))
        assert dues == sorted(dues, key=lambda due: due or 0.0)


@pytest.mark.parametrize("cron", ["", "* * * *", "0 0 8 * * *", "61 * * * *", "0 8 * * FUNDAY", "0 0 30 2 *", "@daily"])
def test_what_is_no_cron_expression_of_five_fields_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        check_cron(cron)


@pytest.mark.parametrize("name", ["", "Europe/Bielefeld", "../etc/passwd", "Mars"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        check_timezone(name)


def test_weeks_ago_is_the_same_hour_by_the_clock_on_the_wall() -> None:
    before = weeks_before(at("2026-04-01T09:00", "Europe/Berlin"), 2, "Europe/Berlin")
    assert [told(moment) for moment in before] == ["2026-03-25T08:00", "2026-03-18T08:00"]
    assert told(at("2026-04-01T09:00", "Europe/Berlin")) == "2026-04-01T07:00"


def test_zones_are_known_on_a_machine_without_any() -> None:
    code = "from swarmkeeper.edge.cron import last_due; print(last_due('0 8 * * *', 'Europe/Berlin', 1.8e9))"
    environment = {"PYTHONTZPATH": "", "PATH": os.environ["PATH"]}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert result.stdout == "1799996400.0\n", result.stderr
