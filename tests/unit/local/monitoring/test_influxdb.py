"""A real InfluxDB as a process of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from local.aws.server import AwsServer
from local.machines import Machines, cleanup
from local.machines.processes import Process
from local.monitoring import parts
from local.monitoring.influxdb import PID_FILE, Influx, InfluxDB, InfluxError, installed
from local.monitoring.points import Point

pytestmark = pytest.mark.skipif(
    not installed(), reason="scripts/setup.sh --test installs InfluxDB where there is apt-get"
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[InfluxDB]:
    made = InfluxDB(tmp_path)
    made.start()
    yield made
    made.stop()


def test_points_that_are_written_are_answered_and_it_says_what_it_refuses(database: InfluxDB) -> None:
    influx = database.client
    assert (
        influx.write(
            [Point("mem", {"host": "a b"}, {"used": 3}, 10**18), Point("mem", {"host": "c"}, {"used": 5}, 10**18)]
        )
        == 2
    )
    assert influx.write([]) == 0
    (series,) = influx.query('SELECT "used" FROM "mem" WHERE "host" = \'a b\'')
    assert (series.name, series.values()) == ("mem", [3])
    assert influx.query('SELECT "used" FROM "other"') == ()
    (tags,) = influx.query('SHOW TAG VALUES FROM "mem" WITH KEY = "host"')
    assert [row[1] for row in tags.rows] == ["a b", "c"]
    with pytest.raises(InfluxError, match="SELEKT"):
        influx.query("SELEKT")
    with pytest.raises(InfluxError, match="refuses points"):
        influx.write([Point("", {}, {"used": 1}, 1)])


def test_one_whose_cloud_was_killed_is_ended_with_what_is_left(database: InfluxDB, tmp_path: Path) -> None:
    process = Process.from_file(tmp_path / PID_FILE)
    assert process is not None and process.alive()
    cleanup.end_recorded(tmp_path)
    assert not process.alive()
    assert not (tmp_path / PID_FILE).exists()


def test_one_that_does_not_do_what_is_asked_at_its_start_is_not_left_running(
    server: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Process | None] = []

    def refused(_: Influx) -> None:
        started.append(Process.from_file(tmp_path / PID_FILE))
        raise InfluxError("no room")

    monkeypatch.setattr(Influx, "create_database", refused)
    with pytest.raises(InfluxError, match="no room"), ExitStack() as stack:
        parts.start(stack, server, cast(Machines, None), "demo", {}, tmp_path)
    [process] = started
    assert process is not None and not process.alive()
    assert not (tmp_path / PID_FILE).exists()
