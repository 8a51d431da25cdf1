"""How a node's router comes up again on tenants' networks; a stand-in takes the engine's place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REVIVE = Path(__file__).parents[2] / "compose" / "node" / "revive.sh"
DOCKER = """#!/bin/bash
# Keeps the router's state in the file `state`, its networks in `networks`, and what was done in `done`.
cd "$ENGINE"
case "$1 ${2:-} ${3:-}" in
    "inspect --format {{.State"*) cat state ;;
    "inspect --format {{range"*) cat networks ;;
    "network disconnect "*) echo "off $4" >>done; grep -v -x -- "$4" networks >left; mv left networks ;;
    "start "*) echo start >>done; [ ! -e broken ] || exit 1; echo running >state ;;
    "network connect "*)
        echo "on $3" >>done
        ! grep -q -x -- "$3" refused || { cat refusal; exit 1; }
        echo "$3" >>networks
        ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    stand_in = tmp_path / "docker"
    stand_in.write_text(DOCKER)
    stand_in.chmod(0o700)
    (tmp_path / "networks").write_text("node_fleet\ntenant-a\ntenant-b\n")
    (tmp_path / "state").write_text("exited\n")
    for name in ("done", "refused", "refusal"):
        (tmp_path / name).touch()
    return tmp_path


def revived(engine: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{engine}:{os.environ['PATH']}", "ENGINE": str(engine), "LOCK": str(engine / "lock")}
    return subprocess.run(
        ["bash", str(REVIVE), "once"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def done(engine: Path) -> list[str]:
    return (engine / "done").read_text().splitlines()


@pytest.mark.parametrize("state", ["exited", "created"])
def test_a_router_that_has_ended_is_started_alone_and_then_put_back_on_its_networks(engine: Path, state: str) -> None:
    (engine / "state").write_text(f"{state}\n")
    assert revived(engine).returncode == 0
    assert done(engine) == ["off tenant-a", "off tenant-b", "start", "on tenant-a", "on tenant-b"]
    assert (engine / "networks").read_text().split() == ["node_fleet", "tenant-a", "tenant-b"]


@pytest.mark.parametrize("state", ["running", "restarting", "none"])
def test_one_that_runs_or_is_made_by_others_is_left_alone(engine: Path, state: str) -> None:
    (engine / "state").write_text(f"{state}\n")
    assert revived(engine).returncode == 0
    assert done(engine) == []


def test_one_that_can_not_start_yet_is_put_on_nothing(engine: Path) -> None:
    (engine / "broken").touch()
    assert revived(engine).returncode == 1
    assert done(engine) == ["off tenant-a", "off tenant-b", "start"]


def test_a_network_that_can_not_be_had_keeps_none_of_the_others(engine: Path) -> None:
    (engine / "refused").write_text("tenant-a\n")
    (engine / "refusal").write_text("Error response from daemon: context deadline exceeded\n")
    assert revived(engine).returncode == 1
    assert (engine / "networks").read_text().split() == ["node_fleet", "tenant-b"]


def test_a_network_that_another_call_has_put_it_on_is_owed_no_more(engine: Path) -> None:
    (engine / "refused").write_text("tenant-a\n")
    (engine / "refusal").write_text("endpoint with name node-router-1 already exists in network tenant-a\n")
    assert revived(engine).returncode == 0


def test_while_the_node_joins_or_leaves_the_router_is_theirs(engine: Path) -> None:
    with (engine / "lock").open("w") as lock:
        subprocess.run(["flock", str(lock.fileno())], pass_fds=(lock.fileno(),), check=True)
        assert revived(engine).returncode == 0
    assert done(engine) == []
