"""Managers whose address and Swarm state outlive their instances: all are lost at once, and the Swarm goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.machines.volumes import why_none
from local.starter import project_root
from tests.e2e.conftest import MakeWorld
from tests.e2e.test_managers import ids, managers, one_more_worker, runs, status, three_managers, watched
from tests.e2e.world import World

ONE_POOL = """  managers:
    role: manager
    instance_types: [t3.small]
    min: 1
    max: 1
"""
LONGEST_SILENCE_S = 10.0
"""Six machines boot on this one meanwhile; a container that noticed would be silent until the recovery, for longer."""
SLOTS = {"manager-a": 1, "manager-b": 2, "manager-c": 1}
"""Pool -> its zone."""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The shipped profile with three slots."""
    text = (project_root() / "swarmkeeper.demo.yaml").read_text()
    assert ONE_POOL in text
    pools = "".join(
        ONE_POOL.replace("managers:", f"{pool}:") + f"    retain_state: {{zone: {zone}}}\n"
        for pool, zone in SLOTS.items()
    )
    made = tmp_path / "slots.yaml"
    made.write_text(text.replace(ONE_POOL, pools, 1))
    return made


def addresses(world: World) -> dict[str, str]:
    """By pool, of the managers that are ready."""
    return {node["pool"]: node["address"] for node in world.nodes("ready", role="manager")}


@pytest.mark.e2e
@pytest.mark.skipif(why_none() is not None, reason=str(why_none()))
def test_all_managers_end_and_the_swarm_is_recovered_from_one_slots_volume_while_containers_answer(
    make_world: MakeWorld, settings: Path
) -> None:
    world = make_world("real", settings=settings)
    first = three_managers(world)
    told = addresses(world)
    assert world.request("web-0")["status"] in (201, 202)
    world.wait("that a container runs", lambda: runs(world, "web-0"), limit_s=90)
    assert "is recorded as ready" in world.fleet.recover("manager-b")["refused"]
    with watched(world, "web-0", LONGEST_SILENCE_S):
        world.client("ec2").terminate_instances(InstanceIds=first)
        recover(world, first)
        assert addresses(world) == told
        assert world.request("web-1")["status"] in (201, 202)
        world.wait("that a new container runs", lambda: runs(world, "web-1"), limit_s=90)
        newcomer = one_more_worker(world)
        world.wait("that a new worker joins", lambda: newcomer in ids(world), limit_s=180)
        assert runs(world, "web-0")


def recover(world: World, lost: list[str]) -> None:
    """From the volume of manager-b; the others join anew in their own slots."""

    def ordered() -> bool:
        return not world.fleet.recover("manager-b")["refused"]

    def replaced() -> bool:
        now = managers(world)
        return len(now) == len(lost) and not set(lost) & set(now)

    world.wait("that the managers are known to be lost", ordered, limit_s=120)
    world.wait("three managers in the same slots", replaced, limit_s=300)
    now = managers(world)

    def listed() -> bool:
        names = {node["hostname"] for node in world.cloud.engines.swarm_nodes(now[0])}
        return set(now) <= names and not set(lost) & names and set(status(world, now[0])) == set(now)

    world.wait("that the lost ones are off the list", listed, limit_s=120)


@pytest.mark.loop
def test_a_manager_that_is_replaced_comes_at_its_slots_address_once_the_one_before_has_left_it(
    make_world: MakeWorld, settings: Path
) -> None:
    world = make_world("simulated", settings=settings)
    first = three_managers(world)
    told = addresses(world)
    client = world.client("autoscaling")
    client.terminate_instance_in_auto_scaling_group(InstanceId=first[0], ShouldDecrementDesiredCapacity=False)

    def replaced() -> bool:
        now = managers(world)
        return len(now) == 3 and first[0] not in now

    world.wait("three managers again", replaced, limit_s=240)
    assert addresses(world) == told
    assert set(first[1:]) < set(managers(world))
