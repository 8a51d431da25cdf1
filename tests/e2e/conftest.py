"""Whole local clouds for tests: on simulated engines anywhere, on real ones with this machine's lock held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import remains
from local.aws.disturbance import Disturbance
from local.cloud import LocalCloud, Options
from local.lock import MachineLock, default_lock_path
from local.starter import project_root
from tests.e2e.world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Makes a cloud of the shipped profile, or of other settings; it is ended with the test."""
    with ExitStack() as ends:

        def make(
            engines: str,
            *,
            agent_delay_s: float = 1.0,
            disturbance: Disturbance | None = None,
            settings: Path | None = None,
            monitoring: bool = False,
        ) -> World:
            if engines == "real":
                ends.callback(MachineLock.acquire(default_lock_path(), tmp_path).release)
                remains.clean(tmp_path, print)
                ends.callback(remains.clean, tmp_path, print)
            options = Options(
                settings=settings or project_root() / "swarmkeeper.demo.yaml",
                state_dir=tmp_path,
                engines=engines,
                agent_delay_s=agent_delay_s,
                disturbance=disturbance or Disturbance(),
                monitoring=monitoring,
            )
            said: list[str] = []
            cloud = LocalCloud(options, said.append)
            ends.callback(cloud.close)
            cloud.start()
            return World(cloud, said)

        yield make
