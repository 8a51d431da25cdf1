"""Several pools: what waits decides which of them grows, what is left decides which node goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from local.starter import project_root
from swarmkeeper.cli.demo.probe import Route, wait_for_answers
from swarmkeeper.cli.requests import create_body
from swarmkeeper.edge.yaml_lines import read_yaml
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

ENGINES = [
    pytest.param("simulated", marks=pytest.mark.loop),
    pytest.param("real", marks=pytest.mark.e2e),
]
PLAIN, ON_SSD = 6, 4
PLAIN_NAMES = tuple(f"plain-{number}" for number in range(PLAIN))
UNMOVABLE = PLAIN_NAMES[0]
STUBBORN = ("sh", "-c", "trap '' TERM; /usr/local/bin/web & while :; do sleep 1; done")
"""Ends only when it is killed, after the ten seconds that an engine gives: a move of it takes that long."""

POOLS = """
  small:
    role: worker
    instance_types: [t3.small]
    min: 1
    max: 3
    labels: {containerslots: "4", kind: plain}
    system_reserve: {cpus: 0, memory: 256MiB}
    price: 0.02
  large:
    role: worker
    instance_types: [t3.medium]
    min: 0
    max: 3
    labels: {containerslots: "8"}
    system_reserve: {cpus: 0, memory: 256MiB}
    price: 0.04
  ssd:
    role: worker
    instance_types: [t3.small]
    min: 0
    max: 2
    labels: {containerslots: "4", disk: ssd}
    system_reserve: {cpus: 0, memory: 256MiB}
    price: 0.03
"""
SCALING = """
scaling:
  alarm_period: 10s
  out_cooldown: 5s
  in_cooldown: 20s
  reserved_high: 1.0
  reserved_low: 0.6
  max_removals: {nodes: 3, window: 10s}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The shipped profile with three pools of workers instead of one: two sizes, and one with a label."""
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    head = shipped[: shipped.index("  workers:")]
    path = tmp_path / "pools.yaml"
    path.write_text(head + POOLS.lstrip("\n") + SCALING)
    assert set(cast(Mapping[str, Any], read_yaml(path.read_text()).data)["pools"]) == {
        "managers",
        "small",
        "large",
        "ssd",
    }
    return path


@dataclass(frozen=True, slots=True)
class Burst:
    """Requests of three kinds, all of which are there before anything is bought. Each fits one pool only."""

    world: World

    def send(self) -> None:
        with self.world.suspended("Launch", "small", "large", "ssd"):
            self.ask(
                [
                    *(self._plain(name, movable=name != UNMOVABLE) for name in PLAIN_NAMES),
                    *(self._body(f"ssd-{number}", cpus="0.5", constraints=["disk==ssd"]) for number in range(ON_SSD)),
                    *(self._body(f"big-{number}", cpus="2", memory="3GiB") for number in range(2)),
                ]
            )
        self.world.tell("Capacity Needed")

    def more(self, names: Iterable[str]) -> None:
        """Further plain requests, that keep their node waiting when they have to move."""
        self.ask([self._plain(name, movable=True, command=STUBBORN) for name in names])

    def ask(self, bodies: list[dict[str, object]]) -> None:
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(self.world.fleet.create, bodies))
        assert {answer["status"] for answer in answers} <= {201, 202}, answers

    def _plain(self, name: str, **options: Any) -> dict[str, object]:
        return self._body(name, cpus="0.5", constraints=["kind==plain"], **options)

    def _body(self, name: str, *, memory: str = "64MiB", **options: Any) -> dict[str, object]:
        image = self.world.cloud.engines.images["web"]
        return create_body(name, image, memory=memory, environment=[f"NAME={name}"], **options)


@pytest.mark.parametrize("engines", ENGINES)
def test_a_burst_buys_the_computed_nodes_at_once_and_what_is_left_decides_who_goes(
    make_world: MakeWorld, settings: Path, engines: str
) -> None:
    world = make_world(engines, settings=settings)
    world.first_worker()
    burst = Burst(world)
    burst.send()
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=240)

    # Four of the plain ones fit on the first small node; two more need one more. A big one fills a large node, and
    # only that, the labelled ones fill one labelled node.
    assert by_pool(world) == {"small": 2, "large": 2, "ssd": 1}, bought_for(world)
    assert {pools_of(world)[name] for name in world.containers() if name.startswith("ssd")} == {"ssd"}
    bought = [decision for decision in decisions(world) if decision["direction"] == "out"]
    assert Counter(decision["pool"] for decision in bought) == {"small": 1, "large": 1, "ssd": 1}
    assert len({decision["request_id"] for decision in bought}) == 1

    # The large nodes become empty and go. Of the small ones the emptier would be next, and the other has room for what
    # it holds, but that may not move; so the other goes, whose containers may.
    emptier = str(world.containers()[UNMOVABLE]["node"])
    (other,) = (node for node in small_nodes(world) if node != emptier)
    gone = [*names_on(world, other)[2:], *(name for name in names_on(world, emptier) if name != UNMOVABLE)]
    gone += ["big-0", "big-1", "ssd-1", "ssd-2", "ssd-3"]
    kept = set(world.containers()) - set(gone)
    for name in gone:
        world.fleet.remove(name)
    world.wait(
        "that one small node and the labelled one are left",
        lambda: by_pool(world) == {"small": 1, "ssd": 1},
        limit_s=240,
    )
    assert small_nodes(world) == [emptier]
    assert world.containers()[UNMOVABLE]["node"] == emptier
    assert world.states() == dict.fromkeys(kept, "running")
    if engines == "real":
        assert not wait_for_answers(routes(world), kept, limit_s=20)
    # That an instance has ended is told after its node has left the table.
    ended = world.wait("that three ends are told", lambda: three_ends(world), limit_s=60)
    assert other in ended
    assert emptier not in ended


@pytest.mark.e2e
def test_a_drain_is_cancelled_when_demand_returns(make_world: MakeWorld, settings: Path) -> None:
    world = make_world("real", settings=settings)
    world.first_worker()
    burst = Burst(world)
    burst.more(f"first-{number}" for number in range(6))
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=180)
    assert by_pool(world) == {"small": 2}
    fuller, emptier = sorted(small_nodes(world), key=lambda node: -containers_on(world, node))
    for name in [*names_on(world, fuller)[2:], *names_on(world, emptier)[2:]]:
        world.fleet.remove(name)
    draining = world.wait("a node that drains", lambda: world.nodes("draining"), limit_s=120)[0]

    burst.more(f"second-{number}" for number in range(4))
    world.wait("that all run again", lambda: set(world.states().values()) == {"running"}, limit_s=120)
    assert draining["id"] in {node["id"] for node in world.nodes("ready")}
    assert by_pool(world) == {"small": 2}
    assert any(decision["reclaimed"] == [draining["id"]] for decision in decisions(world))
    assert len(world.passed("EC2 Instance Launch Successful")) == 3  # the manager, and the two that are still there


def three_ends(world: World) -> set[str]:
    """The instances whose end was told, once there are three of them."""
    ended = {str(detail["EC2InstanceId"]) for detail in world.passed("EC2 Instance Terminate Successful")}
    return ended if len(ended) >= 3 else set()


def decisions(world: World) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], world.cloud.history()["decisions"])


def bought_for(world: World) -> list[str]:
    """Which pool was to grow or shrink, by which decision, why."""
    told = [decision for decision in decisions(world) if decision["direction"] != "none"]
    return [f"{each['request_id']}: {each['pool']} {each['desired']}, {each['reason']}" for each in told]


def by_pool(world: World) -> dict[str, int]:
    return dict(Counter(node["pool"] for node in world.nodes()))


def small_nodes(world: World) -> list[str]:
    return sorted(node["id"] for node in world.nodes() if node["pool"] == "small")


def names_on(world: World, node: str) -> list[str]:
    return sorted(name for name, container in world.containers().items() if container.get("node") == node)


def containers_on(world: World, node: str) -> int:
    return len(names_on(world, node))


def pools_of(world: World) -> dict[str, str]:
    """The pool of each container's node."""
    pools = {node["id"]: node["pool"] for node in world.nodes()}
    return {name: pools[str(container["node"])] for name, container in world.containers().items()}


def routes(world: World) -> list[Route]:
    network = world.cloud.settings.network
    return [Route(node["id"], node["address"], network.router_port, network.domain) for node in world.nodes("ready")]
