"""What containers may ask of their node, tried on real engines: ports, volumes, another's network, output, and that
they run again when its engine was started anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local import starter
from local.engines import RealEngines
from local.starter import project_root
from swarmkeeper.cli.demo.probe import Route
from swarmkeeper.cli.main import app
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

pytestmark = pytest.mark.engine


@pytest.fixture
def world(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    settings = tmp_path / "ports.yaml"
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    settings.write_text(f'{shipped}\nadmission:\n  host_ports: ["8500-8509"]\n')
    made = make_world("real", settings=settings)
    described = made.cloud.describe(pid=0, now=0.0)
    monkeypatch.setattr(starter, "running_cloud", lambda: described)
    yield made


def ran(name: str, image: str, *arguments: str) -> str:
    """The node on which the container runs; its own command, if any, comes after `--`."""
    done = CliRunner().invoke(app, ["run", "--memory", "64MiB", "--wait", "150", "--json", name, image, *arguments])
    assert done.exit_code == 0, done.stderr
    return str(json.loads(done.stdout)["node"])


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_ports_volumes_and_anothers_network_hold_on_real_engines(world: World) -> None:
    image = world.cloud.engines.images["web"]
    node = ran("store", image, "-v", "files:/files", "-p", "8500:80", "-e", "NAME=store")
    address = next(each["address"] for each in json.loads(printed("nodes", "--json")) if each["id"] == node)
    port = Route(node, address, 8500, "any.example")
    world.wait("an answer on the host's port", lambda: port.answers("store"), limit_s=20)

    writer = ("--", "sh", "-c", "echo from the reader >/files/note; echo written; sleep 600")
    assert ran("reader", image, "--volumes-from", "store", *writer) == node
    beside = ("--", "sh", "-c", "wget -q -O - http://127.0.0.1:80/; sleep 600")
    assert ran("side", image, "--network", "container:store", *beside) == node
    world.wait("the reader's output", lambda: printed("logs", "reader") == "written\n", limit_s=20)
    world.wait("the neighbour's output", lambda: printed("logs", "side") == "store\n", limit_s=20)

    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    note = engines.on_node(node, "docker exec store cat /files/note; docker volume ls -q")
    assert note.stdout.splitlines()[0] == "from the reader"
    assert any(volume.endswith(".files") for volume in note.stdout.splitlines()[1:])
    # The engine is started anew: what ran there runs again, those that lean on others too, and the port answers.
    engines.on_node(node, "systemctl restart docker")
    world.wait("an answer again", lambda: port.answers("store"), limit_s=120)
    world.wait("the neighbour's output again", lambda: printed("logs", "side") == "store\nstore\n", limit_s=120)
    world.wait("that nothing is told of it", lambda: not _reasons(world), limit_s=30)
    assert engines.on_node(node, "docker exec store cat /files/note").stdout == "from the reader\n"
    assert "port" in printed("explain", "rival", image, "-p", "8500:80")

    assert printed("rm", "side", "reader", "store").split() == ["side", "reader", "store"]
    world.wait("nothing left on the engine", lambda: _fleets_containers(engines, node) == "", limit_s=30)


def _reasons(world: World) -> set[str]:
    return {container["reason"] for container in world.containers().values()} - {""}


def _fleets_containers(engines: RealEngines, node: str) -> str:
    return engines.on_node(node, "docker ps -aq --filter label=swarmkeeper.request").stdout.strip()
