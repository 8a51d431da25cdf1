"""`network.isolation: tenant` on real engines: whom a container reaches, and who reaches it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from local.engines import RealEngines
from local.starter import project_root
from swarmkeeper.cli.demo.probe import ENGINE_PORT, Route
from swarmkeeper.cli.requests import create_body
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

pytestmark = pytest.mark.engine


@pytest.fixture
def world(make_world: MakeWorld, tmp_path: Path) -> Iterator[World]:
    settings = tmp_path / "tenants.yaml"
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    assert "isolation: fleet" in shipped
    settings.write_text(shipped.replace("isolation: fleet", "isolation: tenant"))
    yield make_world("real", settings=settings)


def run(world: World, tenant: str, name: str) -> None:
    image = world.cloud.engines.images["web"]
    body = create_body(
        name, image, cpus="0.25", memory="64MiB",
        environment=[f"NAME={name}"], label=[f"swarmkeeper.tenant={tenant}"],
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


def test_a_tenants_container_reaches_its_own_and_no_other_and_the_router_reaches_all(world: World) -> None:
    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    node = world.first_worker()
    for tenant, name in (("a", "a-1"), ("a", "a-2"), ("b", "b-1")):
        run(world, tenant, name)
    assert {container["node"] for container in world.containers().values()} == {node["id"]}
    network = world.cloud.settings.network

    route = Route(node["id"], node["address"], network.router_port, network.domain)
    for name in ("a-1", "a-2", "b-1"):
        world.wait(f"{name} answers by name", partial(route.answers, name), limit_s=20)

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
    # Behind the published port nobody could tell that it is a container who asks.
    gateway = inside.says("ip route show default").split()[2]
    for machine in (node["address"], gateway):
        assert not inside.connects(machine, network.router_port)
    # A datagram of VXLAN to another machine or to this one could be a frame for another tenant's network.
    for machine in (world.nodes("ready", role="manager")[0]["address"], gateway):
        inside.says(f"timeout 3 tftp -g -l /dev/null -r frame {machine} 4789")  # all that busybox sends datagrams with
    assert dropped(engines, node["id"], "DOCKER-USER") > 0
    assert dropped(engines, node["id"], "INPUT") > 0

    # The router is on both networks, and must not lead from one into the other.
    assert "403" in inside.gets("http://node-router-1:8080/", host=f"b-1.{network.domain}")

    # No restart policy starts what was stopped, or what failed to start: the node itself brings its router back.
    engines.on_node(node["id"], "docker stop --time 1 node-router-1")
    for name in ("a-1", "b-1"):
        world.wait(f"{name} answers by name again", partial(route.answers, name), limit_s=60)


def dropped(engines: RealEngines, node: str, chain: str) -> int:
    """How many datagrams to VXLAN's port the chain's rule has met."""
    listed = engines.on_node(node, f"iptables --wait -nvx --list {chain}").stdout.splitlines()
    (rule,) = (line for line in listed if "dpt:4789" in line)
    assert "DROP" in rule
    return int(rule.split()[0])
