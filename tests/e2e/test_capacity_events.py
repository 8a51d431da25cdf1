"""What waits is bought for before any alarm could tell: placement says itself that capacity is needed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from local import starter
from local.starter import project_root
from swarmkeeper.cli.main import app
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import SLOTS, World

pytestmark = pytest.mark.loop


def settings(folder: Path, *, pools: str = "") -> Path:
    """The shipped profile with slow alarms, with needs that placement tells, and nothing bought beyond them."""
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    for old, new in (
        ("alarm_period: 10s", "alarm_period: 300s"),
        ("capacity_events: false", "capacity_events: true"),
        ("reserved_high: 0.8", "reserved_high: 1.0"),
    ):
        assert old in shipped
        shipped = shipped.replace(old, new)
    file = folder / "swarmkeeper.yaml"
    if pools:
        shipped = shipped.replace("launch_limit: 10m", "launch_limit: 10m\n    price: 0.02")
    file.write_text(shipped.replace("\nscaling:", f"\n{pools}scaling:"))
    return file


SPARE = """\
  spare:
    role: worker
    instance_types: [t3.small]
    min: 0
    max: 4
    labels: {containerslots: "4"}
    system_reserve: {cpus: 0, memory: 256MiB}
    price: 0.03
"""


def typed(*arguments: str) -> Any:
    """What a command prints as JSON."""
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def decisions(world: World) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], world.cloud.history()["decisions"])


def out_decisions(world: World) -> list[dict[str, Any]]:
    return [each for each in decisions(world) if each["direction"] == "out"]


def request(world: World, count: int) -> None:
    """At once."""
    with ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(world.request, (f"web-{number}" for number in range(count))))
    assert {answer["status"] for answer in answers} <= {201, 202}, answers


def test_a_burst_is_bought_for_in_one_decision_without_any_alarm(
    make_world: MakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world("simulated", settings=settings(tmp_path))
    world.first_worker()
    world.cloud.alarms.stop()  # one is looked at each minute, which may be the next second
    before = len(decisions(world))
    with world.suspended("Launch"):  # a machine that takes long for the burst must not have the first of it bought for
        request(world, 3 * SLOTS - 1)
    assert world.request("the-last")["status"] == 202
    out = world.wait("that the burst is bought for", lambda: out_decisions(world), limit_s=60)
    assert [each["desired"] for each in out] == [3]
    assert "Capacity Needed" in {each["trigger"] for each in decisions(world)[before:]}
    assert out[0]["trigger"] in ("Capacity Needed", "recheck")  # a recheck of what could not be had while suspended
    assert world.group()["DesiredCapacity"] == 3
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=180)
    told = world.passed("Capacity Needed")
    assert 1 <= len(told) <= 1 + 60  # not one a request and a retry
    described = world.cloud.describe(pid=0, now=0.0)
    monkeypatch.setattr(starter, "running_cloud", lambda: described)
    (kept,) = (each for each in typed("scaling", "history", "--pool", "workers") if each["direction"] == "out")
    assert (kept["trigger"], kept["desired"]) == (out[0]["trigger"], 3)
    explained = typed("scaling", "explain", kept["id"])
    assert explained["inputs"]
    assert kept.items() <= explained.items()


def test_a_launch_that_finds_no_capacity_falls_over_to_the_next_pool(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world("simulated", settings=settings(tmp_path, pools=SPARE))
    world.first_worker()
    asked = {"pool": "workers", "left": 0}
    assert world.cloud.limit_capacity(asked)["short"] == [{"pool": "workers", "type": "", "left": 0}]
    request(world, SLOTS + 1)
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=240)
    short = {str(each["AutoScalingGroupName"]) for each in world.passed("EC2 Instance Launch Unsuccessful")}
    assert len(world.nodes("ready")) == 2
    assert {node["pool"] for node in world.nodes("ready")} == {"workers", "spare"}
    assert short == {"demo-workers"}
