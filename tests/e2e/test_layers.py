"""A container's own layer follows it by the registry: through a drain, not through a push that fails, from the last
snapshot when its node is gone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local import starter
from local.engines import REGISTRY_PORT, RealEngines, SimulatedEngines
from local.starter import project_root
from swarmkeeper.cli.demo.probe import Route
from swarmkeeper.cli.main import app
from swarmkeeper.ports import Event
from tests.e2e.conftest import MakeWorld
from tests.e2e.test_shared_volumes import NAME, drain, grow, running_on, silence_of
from tests.e2e.world import World

WRITER = ("--", "sh", "-c", "date +%s%N >>/note; [ -e /blob ] || head -c 20000000 /dev/urandom >/blob; exec web")


MakeFleet = Callable[[str], World]


@pytest.fixture
def make_fleet(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MakeFleet]:
    """Makes a fleet with a registry of its own, which is the local cloud's."""

    def make(engines: str) -> World:
        settings = tmp_path / "registry.yaml"
        shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
        settings.write_text(f"{shipped}\nimages: {{registry: '10.42.0.1:{REGISTRY_PORT}'}}\n")
        made = make_world(engines, settings=settings)
        log_in = {"Name": "/demo/registry/pull", "Value": "nodes:any", "Type": "SecureString"}
        made.client("ssm").put_parameter(**log_in)
        described = made.cloud.describe(pid=0, now=0.0)
        monkeypatch.setattr(starter, "running_cloud", lambda: described)
        return made

    yield make


def run(world: World) -> str:
    """Have the container made; returns its node."""
    image = world.cloud.engines.images["web"]
    wanted = ["run", NAME, image, "--memory", "64MiB", "--movable", "-l", "swarmkeeper.snapshot=true"]
    done = CliRunner().invoke(app, [*wanted, "-e", f"NAME={NAME}", "--wait", "150", "--json", *WRITER])
    assert done.exit_code == 0, done.stderr
    return str(json.loads(done.stdout)["node"])


def told_lost(world: World) -> list[str]:
    return [str(detail["starts_from"]) for detail in world.passed(Event.CONTAINER_LOST, name=NAME)]


@pytest.mark.loop
def test_what_a_container_has_written_follows_it_on_simulated_engines(make_fleet: MakeFleet) -> None:
    world = make_fleet("simulated")
    engines = world.cloud.engines
    assert isinstance(engines, SimulatedEngines)
    grow(world, 2)
    first = run(world)
    engines.machines.engine(first).container(NAME).written += ("notes",)
    drain(world, first)
    second = world.wait("the move", lambda: running_on(world, not_on=first), limit_s=90)
    assert engines.machines.engine(second).container(NAME).below == (("notes",),)
    assert NAME in str(world.containers()[NAME]["snapshot"])
    assert told_lost(world) == []


@pytest.mark.engine
def test_what_a_container_has_written_follows_it_by_the_registry(make_fleet: MakeFleet) -> None:
    world = make_fleet("real")
    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    port, domain = world.cloud.settings.network.router_port, world.cloud.settings.network.domain

    def on(node: str, script: str) -> str:
        done = engines.on_node(node, f"docker exec {NAME} {script}")
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def starts(node: str) -> int:
        """How often the container has begun, with the layer that it has; 0 while it stands."""
        return len(engines.on_node(node, f"docker exec {NAME} cat /note").stdout.split())

    def other_router() -> Route:
        other = next(node for node in world.nodes("ready") if node["id"] != running_on(world))
        return Route(other["id"], other["address"], port, domain)

    grow(world, 2)
    first = run(world)
    world.wait("an answer", lambda: other_router().answers(NAME), limit_s=30)
    note, blob = on(first, "cat /note"), on(first, "sha256sum /blob")
    with silence_of(NAME, other_router) as drained:
        drain(world, first)
        second = world.wait("the move", lambda: running_on(world, not_on=first), limit_s=120)
        begun = time.monotonic()
        world.wait("an answer after the move", partial(drained.has_answered_since, begun), limit_s=30)
    assert on(second, "cat /note").startswith(note)
    assert len(on(second, "cat /note").split()) == 2
    assert on(second, "sha256sum /blob") == blob
    assert engines.on_node(first, "docker images --quiet --filter reference='*/snapshots/*/*/*'").stdout == ""

    # The registry is away: the container stays, with all that it wrote.
    world.wait("the drained node's end", lambda: len(world.nodes()) == 1, limit_s=120)
    for node in grow(world, 2):  # or nothing would be stopped, since the image could not be had there
        pulled = engines.on_node(node["id"], f"docker pull --quiet {engines.images['web']}")
        assert pulled.exit_code == 0, pulled.stderr
    engines.registry.stop()
    with silence_of(NAME, other_router) as failed:
        drain(world, second)
        world.wait("a third start after the push that failed", lambda: starts(second) == 3, limit_s=120)
        begun = time.monotonic()
        world.wait("an answer then", partial(failed.has_answered_since, begun), limit_s=30)
    engines.registry.start()
    assert running_on(world) == second
    assert told_lost(world) == []

    # Its node is gone: what was saved last is there.
    world.client("ec2").terminate_instances(InstanceIds=[second])
    third = world.wait("the container elsewhere", lambda: running_on(world, not_on=second), limit_s=150)
    assert told_lost(world) == ["snapshot"]
    assert on(third, "cat /note").startswith(note)
    assert len(on(third, "cat /note").split()) == 2
    assert on(third, "sha256sum /blob") == blob
    print(f"without an answer: {drained.longest_s:.2f} s in a move, {failed.longest_s:.2f} s for a push that failed")
