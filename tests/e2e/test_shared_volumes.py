"""A shared volume follows its container on real engines: through a drain, and when its node is gone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local import starter
from local.engines import RealEngines
from local.starter import project_root
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.cli.demo.probe import Route
from swarmkeeper.cli.fleet import NodeView
from swarmkeeper.cli.main import app
from swarmkeeper.domain.membership import Step
from swarmkeeper.domain.model import NodeId
from swarmkeeper.services.transitions import stepped
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

pytestmark = pytest.mark.engine
NAME = "keeper"
WRITER = ("--", "sh", "-c", "cat /data/note 2>/dev/null; date +%s%N >>/data/note; exec web")
DRAIN_GAP_S, FAILURE_GAP_S = 20.0, 150.0
"""Without an answer at the most. A drain: 10 s to stop, then the start. A failure: until the minute's look sees it."""


@pytest.fixture
def world(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    settings = tmp_path / "volumes.yaml"
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    settings.write_text(f"{shipped}\nvolumes: {{shared: {{kind: efs}}}}\n")
    made = make_world("real", settings=settings)
    described = made.cloud.describe(pid=0, now=0.0)
    monkeypatch.setattr(starter, "running_cloud", lambda: described)
    yield made


@dataclass
class Silence:
    """The longest time between two answers of a name.

    A router that waits for the new copy answers a question late, and none is refused then.
    """

    answered_at: float = field(default_factory=time.monotonic)
    asked_at: float = 0.0
    """When the last question that was answered was asked."""
    longest_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def has_answered_since(self, moment: float) -> bool:
        """Whether what was asked after it, by the monotonic clock, was answered."""
        return self.asked_at > moment

    def watch(self, route: Route, name: str) -> None:
        while not self.stop.is_set():
            asked_at = time.monotonic()
            if route.answers(name):
                now = time.monotonic()
                self.longest_s = max(self.longest_s, now - self.answered_at)
                self.answered_at, self.asked_at = now, asked_at
            self.stop.wait(0.05)


@contextmanager
def silence_of(name: str, route: Callable[[], Route]) -> Iterator[Silence]:
    """Ask for the name by a router that stays, until the block ends."""
    silence = Silence()
    watching = threading.Thread(target=silence.watch, args=(route(), name), daemon=True)
    watching.start()
    try:
        yield silence
    finally:
        silence.stop.set()
        watching.join(10)


def ready(world: World, count: int) -> list[NodeView]:
    found = world.wait(f"{count} ready workers", lambda: _enough(world.nodes("ready"), count), limit_s=180)
    return sorted(found, key=lambda node: node["id"])


def _enough(nodes: list[NodeView], count: int) -> list[NodeView]:
    return nodes if len(nodes) >= count else []


def grow(world: World, desired: int) -> list[NodeView]:
    world.hold(desired)
    found = ready(world, desired)
    for node in found:  # one of them stays empty, and would be scaled in
        done = CliRunner().invoke(app, ["nodes", "protect", node["id"]])
        assert done.exit_code == 0, done.stderr
    world.let_go()
    return found


def running_on(world: World, *, not_on: str = "") -> str:
    one = world.containers().get(NAME)
    is_there = one is not None and one["state"] == "running" and not one.get("moving_to")
    return str(one["node"]) if one is not None and is_there and one["node"] != not_on else ""


def drain(world: World, node_id: str) -> None:
    fleet = world.cloud.settings.fleet
    store = DynamoStore(world.client("dynamodb"), f"{fleet}-state")
    node = store.node(NodeId(node_id))
    assert node is not None
    store.save_node(stepped(node, Step.DRAIN, now=time.time()))
    world.tell("Node Draining", node=node_id)


def lines(world: World, node: str) -> list[str]:
    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    return engines.on_node(node, f"docker exec {NAME} cat /data/note").stdout.split()


def test_data_and_name_follow_a_container_through_a_drain_and_the_end_of_its_node(world: World) -> None:
    assert any("shared volumes are a folder of this machine" in said for said in world.said)
    two = grow(world, 2)
    image = world.cloud.engines.images["web"]
    wanted = [
        "run",
        NAME,
        image,
        "--shared-volume",
        "data:/data",
        "--memory",
        "64MiB",
        "--movable",
        "-e",
        f"NAME={NAME}",
    ]
    done = CliRunner().invoke(app, [*wanted, "--wait", "150", "--json", *WRITER])
    assert done.exit_code == 0, done.stderr
    first = str(json.loads(done.stdout)["node"])
    port = world.cloud.settings.network.router_port

    def other_router() -> Route:
        other = next(node for node in world.nodes("ready") if node["id"] != running_on(world))
        return Route(other["id"], other["address"], port, world.cloud.settings.network.domain)

    world.wait("an answer", lambda: other_router().answers(NAME), limit_s=30)
    assert len(lines(world, first)) == 1

    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    for node in two:
        assert "--dport 2049 -j REJECT" in engines.on_node(node["id"], "iptables -S DOCKER-USER").stdout

    rival = CliRunner().invoke(app, ["run", "rival", image, "--shared-volume", "data:/data"])
    assert rival.exit_code == 1
    assert "is written by keeper" in rival.stderr

    with silence_of(NAME, other_router) as drained:
        drain(world, first)
        second = world.wait("the move", lambda: running_on(world, not_on=first), limit_s=90)
        begun = time.monotonic()
        world.wait("an answer after the move", partial(drained.has_answered_since, begun), limit_s=30)
    assert {node["id"] for node in two} == {first, second}
    assert len(lines(world, second)) == 2
    assert drained.longest_s < DRAIN_GAP_S

    world.wait("the drained node's end", lambda: len(world.nodes()) == 1, limit_s=120)
    grow(world, 2)
    with silence_of(NAME, other_router) as failed:
        world.client("ec2").terminate_instances(InstanceIds=[second])
        third = world.wait("the container elsewhere", lambda: running_on(world, not_on=second), limit_s=FAILURE_GAP_S)
        begun = time.monotonic()
        world.wait("an answer after the failure", partial(failed.has_answered_since, begun), limit_s=30)
    assert len(lines(world, third)) == 3
    print(f"without an answer: {drained.longest_s:.2f} s in a drain, {failed.longest_s:.1f} s after its node's end")
