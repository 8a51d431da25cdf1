"""How a node's router comes up again on tenants' networks; a stand-in takes the engine's place."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

REVIVE = Path(__file__).parents[2] / "compose" / "node" / "revive.sh"
LOOKS = 12
DOCKER = """#!/bin/bash
# Keeps the router's state in the file `state`, the finder's in `finder`, the router's networks in `networks`, and what
# was done in `done`.
cd "$ENGINE"
case "$1 ${2:-} ${3:-}" in
    "inspect --format {{.State"*) [ "$4" != node-finder-1 ] || exec cat finder; cat state ;;
    "start node-finder-1 ") echo "start the finder" >>done; echo running >finder ;;
    "inspect --format {{range"*) cat networks ;;
    "network disconnect "*)
        echo "off $4" >>done
        grep -v -x -- "$4" networks >left
        mv left networks
        [ ! -e cut-off ] || kill -KILL "$PPID"
        ;;
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
    (tmp_path / "finder").write_text("running\n")
    for name in ("done", "refused", "refusal"):
        (tmp_path / name).touch()
    return tmp_path


def environment(engine: Path) -> dict[str, str]:
    own = {name: str(engine / name.lower()) for name in ("LOCK", "OWED")}
    return {"PATH": f"{engine}:{os.environ['PATH']}", "ENGINE": str(engine), "PAUSE_S": "0", **own}


def revived(engine: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(REVIVE), "once"], env=environment(engine), capture_output=True, text=True, check=False, timeout=60
    )


def refuse(engine: Path, network: str, refusal: str) -> None:
    (engine / "refused").write_text(f"{network}\n")
    (engine / "refusal").write_text(f"Error response from daemon: {refusal}\n")


def owe(engine: Path, *networks: str) -> None:
    """As a look has left it that came to no end."""
    (engine / "owed").write_text("".join(f"{network}\n" for network in networks))


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


@pytest.mark.parametrize("state", ["exited", "created"])
def test_a_finder_that_has_ended_is_started(engine: Path, state: str) -> None:
    (engine / "state").write_text("running\n")
    (engine / "finder").write_text(f"{state}\n")
    assert revived(engine).returncode == 0
    assert done(engine) == ["start the finder"]


def test_one_that_can_not_start_yet_is_put_on_nothing(engine: Path) -> None:
    (engine / "broken").touch()
    assert revived(engine).returncode == 1
    assert done(engine) == ["off tenant-a", "off tenant-b", "start"]


def test_a_network_that_can_not_be_had_keeps_none_of_the_others(engine: Path) -> None:
    refuse(engine, "tenant-a", "context deadline exceeded")
    assert revived(engine).returncode == 1
    assert (engine / "networks").read_text().split() == ["node_fleet", "tenant-b"]


@pytest.mark.parametrize(
    "refusal",
    [
        "endpoint with name node-router-1 already exists in network tenant-a",
        "node-router-1 is already attached to network tenant-a",
        "Could not attach to network tenant-a: rpc error: code = NotFound desc = network tenant-a not found",
    ],
)
def test_a_network_that_another_call_has_put_it_on_or_that_is_gone_is_owed_no_more(engine: Path, refusal: str) -> None:
    refuse(engine, "tenant-a", refusal)
    assert revived(engine).returncode == 0
    assert not (engine / "owed").exists()


def test_a_network_that_has_only_not_reached_the_node_is_owed_on(engine: Path) -> None:
    refuse(engine, "tenant-a", "network tenant-a not found")
    assert revived(engine).returncode == 1
    assert (engine / "owed").read_text() == "tenant-a\n"


def test_what_it_is_owed_outlives_the_unit(engine: Path) -> None:
    refuse(engine, "tenant-a", "context deadline exceeded")
    assert revived(engine).returncode == 1
    (engine / "refused").write_text("")
    assert revived(engine).returncode == 0
    assert done(engine)[-2:] == ["on tenant-b", "on tenant-a"]
    assert not (engine / "owed").exists()


def test_a_unit_that_ends_while_it_takes_it_off_its_networks_loses_none(engine: Path) -> None:
    (engine / "cut-off").touch()
    assert revived(engine).returncode == -signal.SIGKILL
    assert (engine / "networks").read_text().split() == ["node_fleet", "tenant-b"]
    (engine / "cut-off").unlink()
    assert revived(engine).returncode == 0
    assert done(engine) == ["off tenant-a", "off tenant-b", "start", "on tenant-a", "on tenant-b"]


def test_a_network_that_it_is_on_by_now_is_owed_no_more(engine: Path) -> None:
    (engine / "state").write_text("running\n")
    owe(engine, "tenant-a")
    assert revived(engine).returncode == 0
    assert done(engine) == []
    assert not (engine / "owed").exists()


def test_a_network_that_can_never_be_had_is_given_up(engine: Path) -> None:
    refuse(engine, "tenant-a", "context deadline exceeded")
    command = ["timeout", "60", "bash", str(REVIVE)]
    with subprocess.Popen(command, env=environment(engine), stderr=subprocess.PIPE, text=True) as unit:
        said = iter(unit.stderr or ())
        try:
            assert next(said) == "the router has ended; it is started again, and owed 2 networks\n"
            assert next(said) == "given up: tenant-a\n"
            (engine / "broken").touch()
            (engine / "state").write_text("exited\n")
            assert next(said) == "the router has ended; it is started again, and owed 1 networks\n"
        finally:
            unit.terminate()
    assert done(engine).count("on tenant-a") == LOOKS
    assert (engine / "owed").read_text() == "tenant-b\n"


def test_while_the_node_joins_or_leaves_the_router_is_theirs(engine: Path) -> None:
    assert looked_while_locked(engine) == 0


def test_what_it_is_owed_while_the_node_joins_or_leaves_stays_owed(engine: Path) -> None:
    owe(engine, "tenant-a")
    assert looked_while_locked(engine) == 1
    assert (engine / "owed").read_text() == "tenant-a\n"


def looked_while_locked(engine: Path) -> int:
    with (engine / "lock").open("w") as lock:
        subprocess.run(["flock", str(lock.fileno())], pass_fds=(lock.fileno(),), check=True)
        code = revived(engine).returncode
    assert done(engine) == []
    return code
