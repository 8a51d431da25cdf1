"""Three managers: one is lost, the leader is lost during a join, two are lost at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.engines import RealEngines
from local.machines.simulated import SimulatedMachines
from local.starter import project_root
from swarmkeeper.cli.demo.probe import Route, SilenceMeter, wait_for_answers
from swarmkeeper.cli.fleet import ContainerView
from tests.e2e.conftest import MakeWorld
from tests.e2e.test_lost_nodes import copies
from tests.e2e.world import World

ENGINES = [
    pytest.param("simulated", marks=pytest.mark.loop),
    pytest.param("real", marks=pytest.mark.e2e),
]
LONGEST_SILENCE_S = 3.0
ONE, THREE = "min: 1\n    max: 1\n", "min: 3\n    max: 3\n    failure_grace: 10s\n"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The shipped profile with three managers."""
    text = (project_root() / "swarmkeeper.demo.yaml").read_text()
    assert ONE in text
    made = tmp_path / "three-managers.yaml"
    made.write_text(text.replace(ONE, THREE, 1))
    return made


def three_managers(world: World) -> list[str]:
    """Their ids, once all are ready."""
    found = world.wait(
        "three ready managers", lambda: managers(world) if len(managers(world)) == 3 else None, limit_s=240
    )
    world.first_worker()
    return found


def managers(world: World) -> list[str]:
    return sorted(str(node["id"]) for node in world.nodes("ready", role="manager"))


def status(world: World, asked: str) -> dict[str, str]:
    """The managers' status by host name, as `docker node ls` on one of them tells it."""
    listed = world.cloud.engines.swarm_nodes(asked)
    return {node["hostname"]: node["manager_status"] for node in listed if node["manager_status"]}


def leader(world: World, asked: str) -> str:
    return next(name for name, told in status(world, asked).items() if told == "Leader")


def kill(world: World, node_id: str) -> None:
    """The machine's engine is dead at once; EC2 says that the instance runs."""
    machines = world.cloud.engines.machines
    if isinstance(machines, SimulatedMachines):
        machines.cut_off(node_id)
    else:
        on_node(world, node_id, "kill -9 $(cat /run/docker.pid)")


def on_node(world: World, node_id: str, script: str) -> str:
    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    done = engines.on_node(node_id, script)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def one_more_worker(world: World) -> str:
    """A worker whose join has just begun."""
    world.hold(2)
    return str(world.wait("that a join has begun", lambda: world.nodes("joining"), limit_s=90)[0]["id"])


def ids(world: World) -> set[str]:
    """The workers that are ready."""
    return {str(node["id"]) for node in world.nodes("ready")}


def runs(world: World, name: str) -> ContainerView | None:
    one = world.containers().get(name)
    return one if one is not None and one["state"] == "running" else None


@pytest.mark.parametrize("engines", ENGINES)
def test_a_manager_that_is_terminated_by_hand_is_replaced_and_the_loop_goes_on(
    make_world: MakeWorld, settings: Path, engines: str
) -> None:
    world = make_world(engines, settings=settings)
    first = three_managers(world)
    victim = leader(world, first[0])
    world.client("ec2").terminate_instances(InstanceIds=[victim])
    newcomer = one_more_worker(world)
    world.wait("that a worker joins meanwhile", lambda: newcomer in ids(world), limit_s=180)
    assert world.request("web-0")["status"] in (201, 202)
    world.wait("that a container runs", lambda: runs(world, "web-0"), limit_s=90)

    def replaced() -> bool:
        now = managers(world)
        return len(now) == 3 and victim not in now

    world.wait("three managers again", replaced, limit_s=300)
    now = managers(world)
    assert set(status(world, now[0])) == set(now)
    assert len(set(first) & set(now)) == 2
    assert victim not in {node["hostname"] for node in world.cloud.engines.swarm_nodes(now[0])}


@pytest.mark.parametrize("engines", ENGINES)
def test_a_worker_that_joins_while_the_leader_dies_gets_there_and_the_leader_is_replaced(
    make_world: MakeWorld, settings: Path, engines: str
) -> None:
    world = make_world(engines, settings=settings)
    first = three_managers(world)
    victim = leader(world, first[0])
    newcomer = one_more_worker(world)
    kill(world, victim)
    world.wait("that it is ready", lambda: newcomer in ids(world), limit_s=240)
    others = [node_id for node_id in first if node_id != victim]

    def replaced() -> bool:
        now = managers(world)
        return len(now) == 3 and victim not in now

    world.wait("three managers again", replaced, limit_s=400)
    assert set(others) < set(managers(world))
    assert [detail["node"] for detail in world.passed("Node Lost")] == [victim]
    assert set(status(world, others[0])) == set(managers(world))


@pytest.mark.parametrize("engines", ENGINES)
def test_two_managers_lost_at_once_make_creates_wait_until_a_new_cluster_is_forced_and_nothing_stops(
    make_world: MakeWorld, settings: Path, engines: str
) -> None:
    world = make_world(engines, settings=settings)
    first = three_managers(world)
    assert world.request("web-0")["status"] in (201, 202)
    world.wait("that a container runs", lambda: runs(world, "web-0"), limit_s=90)
    survivor, *dead = first
    with watched(world, "web-0"):
        lose_two_and_recover(world, survivor, dead)


def lose_two_and_recover(world: World, survivor: str, dead: list[str]) -> None:
    for node_id in dead:
        kill(world, node_id)
    assert world.request("web-1")["status"] in (201, 202)

    def waits() -> bool:
        one = world.containers()["web-1"]
        return one["state"] == "pending" and "no container on an overlay network can start" in str(one["reason"])

    def still_runs() -> bool:
        return runs(world, "web-0") is not None and len(copies(world, "web-0")) == 1

    world.wait("that a create waits with its reason", waits, limit_s=180)
    assert still_runs()
    force_new_cluster(world, survivor)
    world.wait("that it runs", lambda: runs(world, "web-1"), limit_s=180)
    assert still_runs()

    def replaced() -> bool:
        assert still_runs()
        now = managers(world)
        return len(now) == 3 and not set(dead) & set(now)

    for node_id in dead:
        world.client("ec2").terminate_instances(InstanceIds=[node_id])
    world.wait("three managers again", replaced, limit_s=400)
    assert set(status(world, survivor)) == set(managers(world))


def end_through_its_group(world: World, node_id: str) -> None:
    client = world.client("autoscaling")
    client.terminate_instance_in_auto_scaling_group(InstanceId=node_id, ShouldDecrementDesiredCapacity=False)


@pytest.mark.loop
def test_a_leader_that_its_group_replaces_steps_down_first_and_the_others_always_have_a_leader(
    make_world: MakeWorld, settings: Path
) -> None:
    world = make_world("simulated", settings=settings)
    first = three_managers(world)
    victim = leader(world, first[0])
    others = [node_id for node_id in first if node_id != victim]
    end_through_its_group(world, victim)

    def replaced() -> bool:
        assert leader(world, others[0])  # raises where there is none
        now = managers(world)
        return len(now) == 3 and victim not in now and victim not in status(world, others[0])

    world.wait("three managers again", replaced, limit_s=180)
    assert set(status(world, others[0])) == set(managers(world))
    assert not world.passed("Node Lost")


@pytest.mark.loop
def test_the_only_manager_hands_its_swarm_over_to_its_successor(make_world: MakeWorld) -> None:
    world = make_world("simulated")
    worker = str(world.first_worker()["id"])
    (old,) = managers(world)
    end_through_its_group(world, old)

    def handed_over() -> list[str]:
        now = managers(world)
        return now if len(now) == 1 and now != [old] else []

    (new,) = world.wait("its successor", handed_over, limit_s=240)
    world.wait("that the old one is gone", lambda: set(status(world, new)) == {new}, limit_s=180)
    assert worker in {node["hostname"] for node in world.cloud.engines.swarm_nodes(new)}
    assert world.request("web-0")["status"] in (201, 202)
    world.wait("that a container runs", lambda: runs(world, "web-0"), limit_s=90)


@contextmanager
def watched(world: World, name: str, longest_s: float = LONGEST_SILENCE_S) -> Iterator[None]:
    """The container answers by name through the routers all the while; simulated engines have none."""
    if isinstance(world.cloud.engines.machines, SimulatedMachines):
        yield
        return
    network = world.cloud.settings.network
    routes = [Route(node["id"], node["address"], network.router_port, network.domain) for node in world.nodes("ready")]
    assert wait_for_answers(routes, [name], limit_s=30) == {}
    with SilenceMeter(routes, [name]) as meter:
        yield
    print(f"longest silence of {name}: {meter.longest_s[name]:.2f} s")
    assert meter.longest_s[name] < longest_s


def force_new_cluster(world: World, node_id: str) -> None:
    """As docs/operations.md says it."""
    machines = world.cloud.engines.machines
    if isinstance(machines, SimulatedMachines):
        machines.engine(node_id).force_new_cluster()
        return
    address = next(node["address"] for node in world.nodes(role="manager") if node["id"] == node_id)
    on_node(world, node_id, f"docker swarm init --force-new-cluster --advertise-addr {address} >/dev/null")
