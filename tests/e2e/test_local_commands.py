"""`swarmkeeper local` on real engines: safe to repeat, one at a time, and nothing is left, whatever was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import lock, remains
from local.monitoring.influxdb import Influx
from local.starter import Cloud, project_root, running_cloud

pytestmark = pytest.mark.e2e
PROFILE = ("--settings", str(project_root() / "swarmkeeper.demo.yaml"))
COMMAND = [sys.executable, "-c", "from swarmkeeper.cli.main import app; app(prog_name='swarmkeeper')"]


def swarmkeeper(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=project_root(), capture_output=True, text=True, timeout=300, check=False
    )


def up(*arguments: str) -> Cloud:
    done = swarmkeeper("local", "up", *PROFILE, "--engines", "real", "--agent-delay", "1", *arguments)
    assert done.returncode == 0, done.stderr
    cloud = running_cloud()
    assert cloud is not None
    return cloud


@pytest.fixture(autouse=True)
def always_down() -> Iterator[None]:
    """Whatever a test does, the machine is clean afterwards."""
    yield
    swarmkeeper("local", "down")


def until(happened: Callable[[], bool], *, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def machines() -> list[str]:
    listed: list[str] = json.loads(swarmkeeper("local", "status", "--json").stdout)["machines"]
    return listed


def test_up_is_safe_to_repeat_and_down_leaves_nothing(tmp_path: Path) -> None:
    cloud = up()
    again = swarmkeeper("local", "up", *PROFILE)
    assert again.returncode == 0
    assert "was up already" in again.stdout
    assert running_cloud() == cloud

    other = tmp_path / "other.yaml"
    other.write_text((project_root() / "swarmkeeper.demo.yaml").read_text().replace("fleet: demo", "fleet: other"))
    refused = swarmkeeper("local", "up", "--settings", str(other))
    assert refused.returncode == 1
    assert f"process {cloud.pid}" in refused.stderr
    assert "without monitoring is running" in swarmkeeper("local", "up", *PROFILE, "--monitoring").stderr

    until(lambda: len(machines()) == 2, limit_s=150)
    assert swarmkeeper("local", "down").returncode == 0
    assert remains.lasting_leftovers(Path(cloud.state_dir), cloud.endpoint_url) == []
    assert lock.holder(lock.default_lock_path()) is None
    assert "nothing of one was left" in swarmkeeper("local", "down").stdout
    assert swarmkeeper("local", "status").returncode == 3


def test_down_cleans_up_after_a_daemon_that_was_killed() -> None:
    cloud = up("--monitoring")
    assert Influx.at(cloud.influxdb_url).answers()
    until(lambda: len(machines()) == 2, limit_s=150)
    os.kill(cloud.pid, signal.SIGKILL)
    until(lambda: running_cloud() is None, limit_s=30)
    assert remains.leftovers(Path(cloud.state_dir), cloud.endpoint_url) != []
    assert swarmkeeper("local", "down").returncode == 0
    assert not Influx.at(cloud.influxdb_url).answers()
    assert remains.lasting_leftovers(Path(cloud.state_dir), cloud.endpoint_url) == []


def test_up_after_a_crash_cleans_first_and_comes_up() -> None:
    crashed = up()
    os.kill(crashed.pid, signal.SIGKILL)
    until(lambda: running_cloud() is None, limit_s=30)
    assert up().pid != crashed.pid


def test_killing_the_command_that_starts_it_leaves_a_cloud_that_can_be_ended() -> None:
    with subprocess.Popen(
        [*COMMAND, "local", "up", *PROFILE, "--engines", "real"], cwd=project_root(), stderr=subprocess.PIPE, text=True
    ) as starting:
        assert starting.stderr is not None
        assert starting.stderr.readline()  # the daemon has begun
        starting.kill()
    until(lambda: running_cloud() is not None, limit_s=240)
    cloud = running_cloud()
    assert cloud is not None
    assert swarmkeeper("local", "down").returncode == 0
    assert remains.lasting_leftovers(Path(cloud.state_dir), cloud.endpoint_url) == []


def test_interrupting_the_command_that_starts_it_ends_what_was_begun() -> None:
    with subprocess.Popen(
        [*COMMAND, "local", "up", *PROFILE, "--engines", "real"], cwd=project_root(), stderr=subprocess.PIPE, text=True
    ) as starting:
        assert starting.stderr is not None
        assert starting.stderr.readline()  # the daemon has begun
        starting.send_signal(signal.SIGINT)
        said = starting.stderr.read()
    assert starting.returncode != 0
    assert "interrupted" in said
    assert lock.holder(lock.default_lock_path()) is None
    assert remains.lasting_leftovers(lock.default_state_dir(), "no endpoint") == []
