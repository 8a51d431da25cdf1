"""A worker that falls silent while EC2 says that it runs."""

from __future__ import annotations

import pytest

from local.engines import RealEngines
from local.machines import MachineError
from local.machines.simulated import SimulatedMachines
from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.cli.fleet import NodeView
from swarmkeeper.cli.requests import create_body
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, NodeId
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import SLOTS, World

ENGINES = [
    pytest.param("simulated", marks=pytest.mark.loop),
    pytest.param("real", marks=pytest.mark.e2e),
]
DROP = "iptables --{verb} INPUT -i eth0 -j DROP; iptables --{verb} OUTPUT -o eth0 -j DROP"


def two_workers(world: World) -> tuple[NodeView, NodeView]:
    world.first_worker()
    world.hold(2)
    found = world.wait("two ready workers", lambda: world.nodes("ready")[1:] and world.nodes("ready"), limit_s=180)
    return found[0], found[1]


def record(world: World, node_id: str) -> Node | None:
    return DynamoStore(world.client("dynamodb"), f"{world.cloud.settings.fleet}-state").node(NodeId(node_id))


def part(world: World, node_id: str) -> None:
    """Cut the node off from everybody; what runs there runs on."""
    machines = world.cloud.engines.machines
    if isinstance(machines, SimulatedMachines):
        machines.cut_off(node_id)
    else:
        on_node(world, node_id, DROP.format(verb="insert"))


def heal(world: World, node_id: str) -> None:
    machines = world.cloud.engines.machines
    if isinstance(machines, SimulatedMachines):
        machines.heal(node_id)
    else:
        on_node(world, node_id, DROP.format(verb="delete"))


def on_node(world: World, node_id: str, script: str) -> None:
    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    done = engines.on_node(node_id, script)
    assert done.exit_code == 0, done.stderr


def run_all(world: World, count: int) -> list[str]:
    names = [f"web-{number}" for number in range(count)]
    for name in names:
        assert world.request(name)["status"] in (201, 202)
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=120)
    return names


def copies(world: World, name: str) -> list[str]:
    """The live machines on which a container of the name runs."""
    machines = world.cloud.engines.machines
    if isinstance(machines, SimulatedMachines):
        engines = [(node_id, machines.engine(node_id)) for node_id in machines.running()]
        return [
            node_id
            for node_id, engine in engines
            for one in engine.containers.values()
            if one.name == name and one.running
        ]
    engines_here = world.cloud.engines
    assert isinstance(engines_here, RealEngines)
    return [node_id for node_id in machines.running() if _has(engines_here, node_id, name)]


def _has(engines: RealEngines, node_id: str, name: str) -> bool:
    try:
        return bool(engines.on_node(node_id, f"docker ps --quiet --filter name=^/{name}$").stdout.strip())
    except MachineError:
        assert node_id not in engines.machines.running()  # it has ended since it was listed
        return False


def targets(world: World) -> set[str]:
    client = world.client("elbv2")
    (group,) = client.describe_target_groups(Names=[f"{world.cloud.settings.fleet}-routers"])["TargetGroups"]
    health = client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    return {each["Target"]["Id"] for each in health}


@pytest.mark.parametrize("engines", ENGINES)
def test_a_silent_node_is_fenced_and_replaced_and_its_movable_containers_run_elsewhere_none_twice(
    make_world: MakeWorld, engines: str
) -> None:
    world = make_world(engines)
    two_workers(world)
    names = run_all(world, SLOTS)
    silent = next(str(one["node"]) for one in world.containers().values())
    stayed = {name for name, one in world.containers().items() if one["node"] != silent}
    assert silent in targets(world)
    part(world, silent)

    def all_run_elsewhere() -> bool:
        assert all(len(copies(world, name)) <= 1 for name in names)
        return all(one["state"] == "running" and one["node"] != silent for one in world.containers().values())

    world.wait("that all run elsewhere", all_run_elsewhere, limit_s=300)
    assert [detail["node"] for detail in world.passed("Node Lost")] == [silent]
    assert not world.passed("Container Lost")
    assert silent not in targets(world)
    buried = record(world, silent)
    assert buried is not None
    assert buried.state is NodeState.GONE
    assert {name for name in names if len(copies(world, name)) == 1} == set(names)
    world.wait("its replacement", lambda: len(world.nodes("ready")) == 2, limit_s=180)
    assert world.group()["DesiredCapacity"] == 2
    manager = world.nodes("ready", role="manager")[0]["id"]
    assert silent not in [node["hostname"] for node in world.cloud.engines.swarm_nodes(manager)]
    assert stayed <= {name for name in names if copies(world, name)}


@pytest.mark.parametrize("engines", ENGINES)
def test_a_partition_that_heals_within_the_grace_changes_nothing(make_world: MakeWorld, engines: str) -> None:
    world = make_world(engines)
    two_workers(world)
    run_all(world, SLOTS)
    before = world.containers()
    silent = next(str(one["node"]) for one in before.values())
    part(world, silent)

    def suspected() -> bool:
        node = record(world, silent)
        return node is not None and node.suspected_at is not None

    world.wait("that the node is suspected", suspected, limit_s=150)
    heal(world, silent)
    world.wait("that it is trusted again", lambda: not suspected(), limit_s=60)
    assert not world.passed("Node Lost")
    assert {name: (one["node"], one["state"]) for name, one in world.containers().items()} == {
        name: (one["node"], one["state"]) for name, one in before.items()
    }
    assert silent in targets(world)


@pytest.mark.parametrize("engines", ENGINES)
def test_a_spot_interruption_empties_the_node_before_ec2_takes_it(make_world: MakeWorld, engines: str) -> None:
    world = make_world(engines)
    two_workers(world)
    names = run_all(world, 2)
    taken = next(str(one["node"]) for one in world.containers().values())
    detail = {"instance-id": taken, "instance-action": "terminate"}
    world.cloud.bus.emit(source="aws.ec2", detail_type="EC2 Spot Instance Interruption Warning", detail=detail)

    def left() -> bool:
        there = world.containers()
        return all(there[name]["state"] == "running" and there[name]["node"] != taken for name in names)

    world.wait("that all run elsewhere", left, limit_s=110)
    world.wait("that the node is gone", lambda: taken not in {node["id"] for node in world.nodes()}, limit_s=120)
    assert all(len(copies(world, name)) == 1 for name in names)


@pytest.mark.parametrize("engines", ENGINES)
def test_a_lost_node_that_holds_what_cant_be_moved_is_waited_for_and_serves_again(
    make_world: MakeWorld, engines: str
) -> None:
    world = make_world(engines)
    two_workers(world)
    image = world.cloud.engines.images["web"]
    body = create_body("console", image, cpus="0.25", memory="64MiB", environment=["NAME=console"])
    assert world.fleet.create(body)["status"] in (201, 202)
    world.wait("that it runs", lambda: world.states() == {"console": "running"}, limit_s=120)
    silent = str(world.containers()["console"]["node"])
    part(world, silent)
    world.wait("that its node is lost", lambda: world.nodes("lost"), limit_s=200)
    world.wait("that it gets no requests", lambda: silent not in targets(world), limit_s=30)
    waits = "its return is waited for"
    world.wait("that its record says so", lambda: waits in world.containers()["console"]["reason"], limit_s=30)
    heal(world, silent)
    world.wait("that it serves again", lambda: silent in {node["id"] for node in world.nodes("ready")}, limit_s=150)
    assert silent in targets(world)
    there = world.containers()["console"]
    assert (there["state"], there["node"], there["reason"]) == ("running", silent, "")
    assert copies(world, "console") == [silent]
