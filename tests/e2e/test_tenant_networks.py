"""`network.isolation: tenant` on real engines: whom a container reaches, and who reaches it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.locator import LOCATOR_PORT
from local.engines import RealEngines
from local.starter import project_root
from swarmkeeper.cli.demo.probe import ENGINE_PORT, Route, wait_for_answers
from swarmkeeper.cli.requests import create_body
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

pytestmark = pytest.mark.engine


NAMES = ("a-1", "b-1", "a-2", "b-2")
"""Of two tenants, the first two on one node and the others on another."""


@pytest.fixture
def world(make_world: MakeWorld, tmp_path: Path) -> Iterator[World]:
    """The demo's fleet, whose tenants have networks of their own, with two workers."""
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    assert "isolation" not in shipped
    assert shipped.count("min: 1\n    max: 4") == 1
    settings = tmp_path / "tenants.yaml"
    settings.write_text(shipped.replace("min: 1\n    max: 4", "min: 2\n    max: 4"))
    yield make_world("real", settings=settings)


def run(world: World, name: str, node: str) -> None:
    image = world.cloud.engines.images["web"]
    body = create_body(
        name, image, cpus="0.25", memory="64MiB",
        environment=[f"NAME={name}", f"constraint:node=={node}"], label=[f"swarmkeeper.tenant={name[0]}"],
    )  # fmt: skip
    answer = world.fleet.create(body)
    assert answer["status"] in (201, 202), answer
    world.wait(f"{name} runs", lambda: world.states().get(name) == "running", limit_s=60)


class Inside:
    """A shell in a container."""

    def __init__(self, engines: RealEngines, node: str, name: str) -> None:
        self._engines, self._node, self._name = engines, node, name

    def says(self, command: str) -> str:
        """What the command prints, its complaints too."""
        done = self._engines.on_node(self._node, f"docker exec {self._name} sh -c '{command} 2>&1'")
        return f"{done.stdout}{done.stderr}".strip()

    def gets(self, url: str, *, host: str = "") -> str:
        header = f'--header "Host: {host}" ' if host else ""
        return self.says(f"timeout 15 wget -q -O - {header}{url}")

    def connects(self, address: str, port: int) -> bool:
        return self.says(f"nc -w 5 {address} {port} </dev/null && echo connected").endswith("connected")


def test_a_tenants_container_reaches_its_own_and_no_other_and_every_router_reaches_all(world: World) -> None:
    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    world.wait("two ready workers", lambda: len(world.nodes("ready")) == 2, limit_s=150)
    workers = world.nodes("ready")
    node, other = workers
    for name in NAMES:
        run(world, name, node["id"] if name.endswith("1") else other["id"])
    network = world.cloud.settings.network

    routes = {node["id"]: Route(node["id"], node["address"], network.router_port, network.domain) for node in workers}
    assert wait_for_answers(routes.values(), NAMES, limit_s=30) == {}

    inside = Inside(engines, node["id"], "a-1")
    assert inside.gets("http://a-2/") == "a-2"
    assert "bad address" in inside.gets("http://b-1/")
    others = Inside(engines, node["id"], "b-1")
    address = others.says("hostname -i").split()[0]
    assert others.gets(f"http://{address}/") == "b-1"  # it does listen there
    assert "b-1" not in inside.gets(f"http://{address}/")

    assert inside.connects("a-2", 80)
    for engine in (node, *world.nodes("ready", role="manager")):
        socket.create_connection((engine["address"], ENGINE_PORT), timeout=10).close()  # it does listen there
        assert not inside.connects(engine["address"], ENGINE_PORT)
    assert not inside.connects("169.254.169.254", 80)
    locator = str(network.vpc_cidr[2])
    socket.create_connection((locator, LOCATOR_PORT), timeout=10).close()
    assert not inside.connects(locator, LOCATOR_PORT)
    # Behind the published port nobody could tell that it is a container who asks.
    gateway = inside.says("ip route show default").split()[2]
    for machine in (node["address"], other["address"], gateway):
        assert not inside.connects(machine, network.router_port)
    # A datagram of VXLAN to another machine or to this one could be a frame for another tenant's network.
    for machine in (world.nodes("ready", role="manager")[0]["address"], gateway):
        inside.says(f"timeout 3 tftp -g -l /dev/null -r frame {machine} 4789")  # all that busybox sends datagrams with
    assert dropped(engines, node["id"], "DOCKER-USER") > 0
    assert dropped(engines, node["id"], "INPUT") > 0

    # The router is on both networks, and must not lead from one into the other, by none of its doors.
    for port in (8080, 8081):
        assert "403" in inside.gets(f"http://node-router-1:{port}/", host=f"b-1.{network.domain}")

    # No restart policy starts what was stopped, or what failed to start: the node itself brings its router back.
    engines.on_node(node["id"], "docker stop --time 1 node-router-1")
    assert wait_for_answers(routes.values(), NAMES, limit_s=90) == {}
    # So it does with the finder; the socket that the killed one leaves doesn't keep the next from listening.
    engines.on_node(node["id"], "docker kill node-finder-1")
    world.wait("the finder runs again", lambda: finder_runs(engines, node["id"]), limit_s=60)
    assert wait_for_answers(routes.values(), NAMES, limit_s=30) == {}


def finder_runs(engines: RealEngines, node: str) -> bool:
    return engines.on_node(node, "docker inspect --format {{.State.Running}} node-finder-1").stdout == "true\n"


def dropped(engines: RealEngines, node: str, chain: str) -> int:
    """How many datagrams to VXLAN's port the chain's rule has met."""
    listed = engines.on_node(node, f"iptables --wait -nvx --list {chain}").stdout.splitlines()
    (rule,) = (line for line in listed if "dpt:4789" in line)
    assert "DROP" in rule
    return int(rule.split()[0])
