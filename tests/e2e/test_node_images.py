"""A new node image on its way: baked, named by a template version, and every node replaced by one that has it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from local.aws.server import CREDENTIALS
from local.engines import RealEngines
from local.starter import project_root
from swarmkeeper.cli.demo.probe import Route, wait_for_answers
from tests.e2e.conftest import MakeWorld
from tests.e2e.world import World

ANSIBLE = project_root() / "pipeline" / "ansible"
PLAYBOOK = project_root() / ".venv-pipeline" / "bin" / "ansible-playbook"
NAMES = tuple(f"kept-{number}" for number in range(6))
ENGINES = [
    pytest.param("simulated", marks=pytest.mark.loop),
    pytest.param("real", marks=pytest.mark.e2e),
]


def play(world: World, **wanted: Any) -> subprocess.CompletedProcess[str]:
    """Run the playbook as an operator does, against the cloud's endpoint."""
    server = world.cloud.server
    environment = {
        **os.environ,
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_DEFAULT_REGION": server.region,
        "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }
    values = {"fleet": world.cloud.settings.fleet, "pool": "workers", "image_name": "workers-2", **wanted}
    return subprocess.run(
        [str(PLAYBOOK), "playbooks/node_image.yml", "--extra-vars", json.dumps(values)],
        cwd=ANSIBLE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The shipped profile under another name: a background cloud of the fleet's name would be asked first."""
    shipped = (project_root() / "swarmkeeper.demo.yaml").read_text()
    path = tmp_path / "rolled.yaml"
    path.write_text(shipped.replace("fleet: demo\n", "fleet: rolled\n"))
    return path


@pytest.mark.parametrize("engines", ENGINES)
def test_nodes_are_replaced_one_by_one_by_such_as_have_the_new_image_and_nothing_is_lost(
    make_world: MakeWorld, settings: Path, engines: str
) -> None:
    world = make_world(engines, settings=settings)
    before = two_nodes_in_use(world)
    images = [world.cloud.engines.images["web"]]

    played = play(world, provision=engines == "real", node_images=images, checkpoints=[50], checkpoint_pause=1)

    assert played.returncode == 0, played.stdout + played.stderr
    after = {node["id"] for node in world.nodes("ready")}
    assert len(after) == 2
    assert not before & after
    assert world.states() == dict.fromkeys(NAMES, "running")
    assert {str(one["node"]) for one in world.containers().values()} <= after
    assert images_of(world, after) == {image_named(world, "workers-2")}
    assert fewest_in_service(world) == 2
    if engines == "real":
        assert all(made_ahead(world, node) == images for node in after)
        assert not wait_for_answers(routes(world), NAMES, limit_s=20)
    again = play(world, provision=engines == "real", node_images=images, checkpoints=[50], checkpoint_pause=1)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "changed=0 " in again.stdout
    assert {node["id"] for node in world.nodes("ready")} == after


@pytest.mark.loop
def test_a_refresh_that_is_rolled_back_brings_nodes_of_the_old_image_back_and_fails_the_playbook(
    make_world: MakeWorld, settings: Path
) -> None:
    world = make_world("simulated", settings=settings)
    before = two_nodes_in_use(world)
    (old,) = images_of(world, before)
    group = f"{world.cloud.settings.fleet}-workers"
    with ThreadPoolExecutor(1) as threads:
        playing = threads.submit(play, world, provision=False, checkpoints=[50], checkpoint_pause=3600)
        world.wait(
            "the checkpoint",
            lambda: playing.done() or world.passed("EC2 Auto Scaling Instance Refresh Checkpoint Reached"),
            limit_s=300,
        )
        assert not playing.done(), playing.result().stdout
        world.client("autoscaling").rollback_instance_refresh(AutoScalingGroupName=group)
        played = playing.result()

    assert played.returncode != 0
    assert "RollbackSuccessful" in played.stdout
    assert len(world.nodes("ready")) == 2
    assert images_of(world, {node["id"] for node in world.nodes("ready")}) == {old}
    assert world.states() == dict.fromkeys(NAMES, "running")
    assert fewest_in_service(world) == 2


def two_nodes_in_use(world: World) -> set[str]:
    """Two workers with containers that may move; their ids."""
    assert world.cloud.settings.fleet == "rolled"
    world.hold(2)
    world.wait("two workers", lambda: len(world.nodes("ready")) == 2, limit_s=240)
    for name in NAMES:
        world.request(name)
    world.wait("that all run", lambda: set(world.states().values()) == {"running"}, limit_s=120)
    return {node["id"] for node in world.nodes()}


def fewest_in_service(world: World) -> int:
    """How many workers served at the least, from the moment on that the refresh began."""
    serving, fewest, began = 0, 99, False
    group = f"{world.cloud.settings.fleet}-workers"
    for passed in world.cloud.bus.history():
        kind, detail = passed.event.detail_type, passed.event.detail
        if detail.get("AutoScalingGroupName") != group:
            continue
        began = began or kind == "EC2 Auto Scaling Instance Refresh Started"
        serving += (kind == "EC2 Instance Launch Successful") - (kind == "EC2 Instance-terminate Lifecycle Action")
        fewest = min(fewest, serving) if began else fewest
    return fewest


def images_of(world: World, nodes: set[str]) -> set[str]:
    found = world.client("ec2").describe_instances(InstanceIds=sorted(nodes))["Reservations"]
    return {str(instance["ImageId"]) for each in found for instance in each["Instances"]}


def image_named(world: World, name: str) -> str:
    wanted: list[Mapping[str, Any]] = [{"Name": "name", "Values": [name]}]
    (image,) = world.client("ec2").describe_images(Owners=["self"], Filters=wanted)["Images"]
    return str(image["ImageId"])


def made_ahead(world: World, node: str) -> list[str]:
    """What the role has pulled before the node's image was made; the kernel's settings must be on the node too."""
    engines = world.cloud.engines
    assert isinstance(engines, RealEngines)
    looked = engines.on_node(node, "test -s /etc/sysctl.d/60-swarmkeeper.conf && cat /etc/swarmkeeper/images.json")
    assert looked.exit_code == 0, looked.stderr
    return cast(list[str], json.loads(looked.stdout))


def routes(world: World) -> list[Route]:
    network = world.cloud.settings.network
    return [Route(node["id"], node["address"], network.router_port, network.domain) for node in world.nodes("ready")]
