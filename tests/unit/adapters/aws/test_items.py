"""Every field of a record survives its item; a field that is added later must be added to the item too."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace

import pytest

from swarmkeeper.adapters.aws.container_items import container_from, container_item, digest
from swarmkeeper.adapters.aws.node_items import node_from, node_item
from swarmkeeper.adapters.aws.occupant_json import images_from, images_text, occupant_from, occupant_text
from swarmkeeper.adapters.aws.scaling_items import scaling_from, scaling_item
from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import (
    NO_RESOURCES,
    Container,
    ContainerName,
    ContainerState,
    Hook,
    HostPort,
    Image,
    Leaving,
    Lifetime,
    Node,
    NodeId,
    Occupant,
    PoolName,
    Request,
    Resources,
    Role,
    Rules,
    Save,
    SentCommand,
    Snapshot,
)
from swarmkeeper.domain.scaling.arrivals import ArrivalPeak
from swarmkeeper.domain.scaling.state import ScalingState

NODE = Node(
    id=NodeId("i-0a"),
    pool=PoolName("workers"),
    role=Role.WORKER,
    state=NodeState.JOINING,
    created_at=0.1,
    state_since=1_700_000_000.123456,
    epoch=7,
    revision=8,
    address="10.42.0.4",
    swarm_id="swarm-1",
    capacity=Resources.of(3, 4, {"gpu": 2, "tpu-v4": 1}),
    reserved=Resources.of(1, 2, {"gpu": 1}),
    containers=5,
    slots=6,
    labels={"zone": "a"},
    health=67,
    reason="why",
    hook=Hook("group", "join", "token", 12.5),
    command=SentCommand("id", "node-join", 13.5, attempt=2, subject="web:1"),
    image_id="ami-1",
    protected=True,
    leaving=Leaving(LeaveCause.OPERATOR, 14.5, by=15.5, note="who"),
    suspected_at=16.5,
)
REQUEST = Request(
    name=ContainerName("web-1"),
    image="web:1",
    reservation=Resources(1, 2, (("gpu", 1),)),
    rules=Rules(
        constraints=("zone==a",),
        affinities=("container==db",),
        whitelists=("node==i-0a",),
        ports=(HostPort(80, "udp", "10.0.0.1"),),
        exposed=("80/tcp",),
        network_mode="container:db",
        links=("db:data",),
        volumes_from=("db:ro",),
    ),
    labels={"tier": "web"},
    network="fleet",
    tenant="acme",
    movable=True,
    lifetime=Lifetime(pending_s=1.5, running_s=2.5, idle_s=3.5),
    body='{"Image":"web:1"}',
    id="token-1",
    writes=("acme/data",),
)
CONTAINER = Container(
    request=REQUEST,
    state=ContainerState.RUNNING,
    requested_at=1_700_000_000.123456,
    node=NodeId("i-0a"),
    reason="why",
    engine_id="engine-1",
    moving_to=NodeId("i-0b"),
    started_at=1_700_000_001.5,
    lease_until=1_700_000_060.25,
    refusals=2,
    rests_until=1_700_000_090.75,
    snapshot=Snapshot(image="registry.example:5000/snapshots/demo/acme/web-1@sha256:1", taken_at=1_700_000_020.5),
    save=Save(
        move_id="move-1",
        command_id="command-1",
        stopped_at=1_700_000_030.5,
        until=1_700_001_290.5,
        is_done=True,
        void="somebody has started it",
    ),
    counted=True,
    version=3,
)
OCCUPANT = Occupant(
    name="web-1",
    id="engine-1",
    swarm_id="swarm-1",
    labels={"tier": "a"},
    reservation=Resources(1, 2, (("gpu", 1),)),
    ports=(HostPort(80, "udp", "10.0.0.1"),),
    exposed=("80/tcp",),
    network_mode="host",
    image="web:1",
)
SCALING = ScalingState(
    pool=PoolName("workers"),
    version=1,
    last_out_at=2.5,
    last_in_at=3.5,
    recheck_at=4.5,
    abandoned_in_a_row=5,
    abandoned_nodes=(NodeId("i-0a"),),
    failed_since=6.5,
    last_decision="{}",
    bought=((7.5, 2), (8.5, 1)),
    removed=((9.5, 3),),
    unavailable_until=10.5,
    recorded_at=11.5,
    recorded_as="0000abcd",
    arrivals=ArrivalPeak(Resources(1, 2), Resources(3, 4), 12.5, Resources(5, 6), 7.5),
)


@pytest.mark.parametrize(
    "record", [NODE, REQUEST, CONTAINER, OCCUPANT, SCALING], ids=lambda record: type(record).__name__
)
def test_the_samples_leave_no_field_at_its_default(record: Node | Request | Container | ScalingState) -> None:
    for each in fields(record):
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        assert getattr(record, each.name) != default, each.name


def test_records_come_back_from_their_items() -> None:
    assert node_from(node_item(NODE)) == NODE
    assert container_from(container_item(CONTAINER)) == CONTAINER
    assert scaling_from(scaling_item(SCALING)) == SCALING


def test_records_of_an_older_version_are_read() -> None:
    node = {name: value for name, value in node_item(NODE).items() if name not in ("image_id", "protected")}
    assert node_from(node) == replace(NODE, image_id="", protected=False)
    new = ("bought", "removed", "unavailable_until", "recorded_at", "recorded_as", "arrivals")
    scaling = {name: value for name, value in scaling_item(SCALING).items() if name not in new}
    assert scaling_from(scaling) == ScalingState(
        **{each.name: getattr(SCALING, each.name) for each in fields(SCALING) if each.name not in new}
    )
    peak = {name: value for name, value in scaling_item(SCALING)["arrivals"]["M"].items() if "large" not in name}
    assert scaling_from({**scaling_item(SCALING), "arrivals": {"M": peak}}).arrivals == replace(
        SCALING.arrivals, large=NO_RESOURCES, large_count=0.0
    )


@pytest.mark.parametrize("occupant", [OCCUPANT, Occupant("web-2")], ids=["full", "by default"])
def test_an_occupant_is_read_as_it_was_written(occupant: Occupant) -> None:
    assert occupant_from(occupant.name, occupant_text(occupant)) == occupant


def test_images_are_read_as_they_were_written() -> None:
    images = (Image("sha256:1", ("web:1", "web:latest")), Image("sha256:2"))
    assert images_from(images_text(images)) == images


def test_digests_are_equal_for_equal_requests_only() -> None:
    same = Request(**{each.name: getattr(REQUEST, each.name) for each in fields(REQUEST)})
    assert digest(same) == digest(REQUEST)
    assert digest(Request(ContainerName("web-1"), "web:2")) != digest(Request(ContainerName("web-1"), "web:1"))


def test_containers_that_wait_or_stand_between_states_and_present_nodes_are_in_the_index() -> None:
    assert container_item(Container(REQUEST, ContainerState.PENDING, 9.5))["order"] == {
        "S": "0000000000009.500000#web-1"
    }
    settled = replace(CONTAINER, moving_to=None)
    assert "kind" not in container_item(settled)
    for between in (CONTAINER, replace(settled, state=ContainerState.RESERVED)):
        assert container_item(between)["order"] == {"S": "0001700000060.250000#web-1"}
    assert node_item(NODE)["kind"] == {"S": "NODE"}
