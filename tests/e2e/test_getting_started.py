"""A new user follows docs/getting-started.md: every command of its local part does what the page says."""

from __future__ import annotations

from typing import Any, cast

import pytest
from typer.testing import CliRunner

from local import starter
from swarmkeeper.cli.main import app
from tests.e2e.conftest import MakeWorld
from tests.unit.docs.shell import to_run

pytestmark = pytest.mark.loop
PAGE = "docs/getting-started.md"


def test_the_guides_commands_work_in_their_order(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world("simulated")
    described = world.cloud.describe(pid=0, now=0.0)
    monkeypatch.setattr(starter, "running_cloud", lambda: described)
    for name in ("SWARMKEEPER_FLEET", "SWARMKEEPER_API"):
        monkeypatch.delenv(name, raising=False)
    told: dict[str, str] = {}
    for command in to_run(PAGE):
        done = CliRunner().invoke(app, list(command.arguments))
        assert done.exit_code == 0, f"{command}: {done.stderr}"
        told[" ".join(command.arguments)] = done.stdout
    assert "simulated: started" in told["logs web-1 --tail 5"]
    assert told["nodes"].count("workers") == 2
    (grown,) = [
        each["desired"]
        for each in cast(list[dict[str, Any]], world.cloud.history()["decisions"])
        if each["direction"] == "out"
    ]
    assert grown == 2
    assert "constraint" in told["explain web-6 nginx -e constraint:disk==ssd"]
    assert world.containers() == {}
