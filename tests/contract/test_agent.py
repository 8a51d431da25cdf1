"""What a node's agent tells, and when; stand-ins take the places of the engine and of AWS."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AGENT = Path(__file__).parents[2] / "compose" / "node" / "agent.sh"
LIMIT_S = 20.0
PROGRAMS = {
    # Its events are what is written to the pipe; it ends when that is closed.
    "docker": "exec cat events",
    "aws": "echo told >>told; [ ! -e refused ] || { rm refused; echo 1; exit; }; echo 0",
}


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """An agent, with its engine's events held open until the block ends; it must end with them."""
    os.mkfifo(folder / "events")
    for name, does in PROGRAMS.items():
        program = folder / name
        program.write_text(f'#!/bin/bash\ncd "{folder}"\n{does}\n')
        program.chmod(0o700)
    own = {"PATH": f"{folder}:{os.environ['PATH']}", "FLEET": "demo", "NODE": "i-1", "QUIET_S": "0.1"}
    with (folder / "log").open("wb") as log:
        agent = subprocess.Popen(["bash", str(AGENT)], env={**own, **settings}, stdout=log, stderr=log)
    try:
        with (folder / "events").open("w") as events:
            events.flush()
            yield agent
        assert agent.wait(LIMIT_S) == 1
    finally:
        agent.kill()
        agent.wait()


def times_told(folder: Path) -> int:
    told = folder / "told"
    return len(told.read_text().splitlines()) if told.exists() else 0


def await_told(folder: Path, times: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while times_told(folder) < times:
        assert time.monotonic() < deadline, (folder / "log").read_text()
        os.sched_yield()


def test_that_it_began_to_listen_is_told_and_once_more_later(tmp_path: Path) -> None:
    with running(tmp_path, AGAIN_S="1"):
        await_told(tmp_path, 2)
    assert (tmp_path / "log").read_text().splitlines() == ["listening", "listening for 1 s"]


def test_it_ends_with_its_engine_whatever_it_would_tell_later(tmp_path: Path) -> None:
    with running(tmp_path, AGAIN_S="600"):
        await_told(tmp_path, 1)
    assert times_told(tmp_path) == 1
