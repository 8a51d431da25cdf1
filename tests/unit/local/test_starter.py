"""What is known of the local cloud that is up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local import lock, starter
from local.lock import DAEMON, MachineLock
from local.starter import Cloud, LocalCloudError, Places, running_cloud, write_state
from swarmkeeper.cli.api import ApiError
from swarmkeeper.cli.finding import find_api
from swarmkeeper.cli.fleet import FleetError, find_clients
from swarmkeeper.cli.main import app
from tests.unit.cli.test_finding import LOCAL

FIELDS = asdict(LOCAL)


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """Where a cloud is up that has told nothing of itself yet."""
    places = Places(tmp_path / "lock", tmp_path)
    monkeypatch.setattr(starter.Places, "default", lambda: places)
    held = MachineLock.acquire(places.lock, places.state_dir, DAEMON)
    yield places
    held.release()


def another_versions(places: Places, fields: dict[str, Any]) -> str:
    """Have it tell these fields; what is expected to be said of it."""
    places.state.write_text(json.dumps(fields))
    holder = lock.holder(places.lock)
    assert holder is not None
    return rf"another version is running \(process {holder.pid}, .*local down"


def test_the_cloud_that_is_up_is_known_by_its_state_file(up: Places) -> None:
    assert running_cloud() is None
    write_state(up.state, LOCAL)
    assert running_cloud() == LOCAL


def test_a_cloud_of_an_older_version_is_known_where_it_lacks_nothing_that_is_needed(up: Places) -> None:
    up.state.write_text(json.dumps({name: value for name, value in FIELDS.items() if name != "influxdb_url"}))
    assert running_cloud() == Cloud(**FIELDS)


@pytest.mark.parametrize(
    "fields",
    [{**FIELDS, "later": True}, {name: value for name, value in FIELDS.items() if name != "api_url"}],
    ids=["newer", "older"],
)
def test_a_cloud_of_another_version_is_told_with_its_process(up: Places, fields: dict[str, Any]) -> None:
    with pytest.raises(LocalCloudError, match=another_versions(up, fields)):
        running_cloud()


def test_commands_say_that_another_versions_cloud_is_up(up: Places) -> None:
    told = another_versions(up, {**FIELDS, "later": True})
    with pytest.raises(ApiError, match=told):
        find_api()
    with pytest.raises(FleetError, match=told):
        find_clients(None)
    for command in ("status", "env"):
        done = CliRunner().invoke(app, ["local", command])
        assert done.exit_code == 1
        assert "a local cloud of another version is running" in done.stderr
