"""The Swarm through a manager, where other managers write too and nodes are lost."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from local.machines.simulated_network import OverlayNetwork, Refusal
from local.machines.simulated_swarm import SimulatedSwarm
from swarmkeeper.adapters.engine.swarm import DockerSwarm
from swarmkeeper.domain.model import Node, Role
from swarmkeeper.errors import Conflict, Declined, InvalidInput, Unavailable
from tests.unit.adapters.engine.simulated_fleet import NETWORK, SUBNET, SimulatedFleet


def swarm_of(fleet: SimulatedFleet, manager: Node) -> SimulatedSwarm:
    return fleet.machines.engine(manager.id).managed()


def spec_of(fleet: SimulatedFleet, manager: Node, node: Node) -> dict[str, object]:
    spec = swarm_of(fleet, manager).node(node.swarm_id)["Spec"]
    assert isinstance(spec, dict)
    return spec


def write_between(fleet: SimulatedFleet, manager: Node, node: Node, times: int) -> None:
    """Let somebody else write the node's specification before each of the next updates arrives."""
    left = iter(range(times))

    def write(operation: str) -> float:
        if operation == "update node" and next(left, None) is not None:
            found = swarm_of(fleet, manager).node(node.swarm_id)
            version = found["Version"]
            assert isinstance(version, dict)
            labels = {"other": "writer", "times": str(version["Index"])}
            swarm_of(fleet, manager).update(node.swarm_id, version["Index"], {"Role": "worker", "Labels": labels})
        return 0.0

    fleet.machines.engine(manager.id).faults.latency = write


def test_labels_are_added_to_those_that_are_there(fleet: SimulatedFleet, manager: Node, worker: Node) -> None:
    fleet.swarm.label(manager, worker.swarm_id, {"pool": "workers", "zone": "a"})
    fleet.swarm.label(manager, worker.swarm_id, {"zone": "b"})
    assert spec_of(fleet, manager, worker)["Labels"] == {"pool": "workers", "zone": "b"}


def test_equal_labels_are_not_written_again(fleet: SimulatedFleet, manager: Node, worker: Node) -> None:
    fleet.swarm.label(manager, worker.swarm_id, {"pool": "workers"})
    before = swarm_of(fleet, manager).node(worker.swarm_id)["Version"]
    fleet.swarm.label(manager, worker.swarm_id, {"pool": "workers"})
    assert swarm_of(fleet, manager).node(worker.swarm_id)["Version"] == before


def test_another_writer_in_between_loses_nothing(fleet: SimulatedFleet, manager: Node, worker: Node) -> None:
    write_between(fleet, manager, worker, times=2)
    fleet.swarm.label(manager, worker.swarm_id, {"pool": "workers"})
    labels = spec_of(fleet, manager, worker)["Labels"]
    assert isinstance(labels, dict)
    assert (labels["pool"], labels["other"]) == ("workers", "writer")


def test_a_writer_that_is_always_in_between_ends_in_unavailable(
    fleet: SimulatedFleet, manager: Node, worker: Node
) -> None:
    write_between(fleet, manager, worker, times=1_000)
    with pytest.raises(Unavailable, match="out of sequence"):
        fleet.swarm.label(manager, worker.swarm_id, {"pool": "workers"})


def test_a_node_that_has_left_is_removed(fleet: SimulatedFleet, manager: Node, worker: Node) -> None:
    fleet.run(worker, "node-leave")
    fleet.swarm.remove(manager, worker.swarm_id)
    assert [node.host_name for node in fleet.swarm.nodes(manager)] == [manager.id]


def test_a_node_whose_instance_is_gone_is_down_and_removed(fleet: SimulatedFleet, manager: Node, worker: Node) -> None:
    fleet.machines.stop(worker.id)
    assert {node.host_name: node.ready for node in fleet.swarm.nodes(manager)} == {manager.id: True, worker.id: False}
    fleet.swarm.remove(manager, worker.swarm_id)
    assert [node.host_name for node in fleet.swarm.nodes(manager)] == [manager.id]


def test_a_lost_manager_is_demoted_and_removed_while_the_others_have_a_quorum(
    fleet: SimulatedFleet, manager: Node
) -> None:
    lost, third = fleet.grow(3, Role.MANAGER), fleet.grow(4, Role.MANAGER)
    fleet.machines.stop(lost.id)
    fleet.swarm.remove(manager, lost.swarm_id)
    assert {node.host_name for node in fleet.swarm.nodes(manager)} == {manager.id, third.id}


def test_a_swarm_without_a_quorum_is_unavailable(fleet: SimulatedFleet, manager: Node) -> None:
    for other in [fleet.grow(number, Role.MANAGER) for number in (3, 4)]:
        fleet.machines.stop(other.id)
    with pytest.raises(Unavailable, match="does not have a leader"):
        fleet.swarm.nodes(manager)


def test_a_demotion_that_takes_its_time_is_unavailable(fleet: SimulatedFleet, manager: Node, worker: Node) -> None:
    fleet.machines.stop(worker.id)
    refusal = Refusal(400, "It must be demoted to worker before removal")
    faults = fleet.machines.engine(manager.id).faults
    faults.refusal = lambda operation: refusal if operation == "remove node" else None
    with pytest.raises(Unavailable, match="demoted"):
        fleet.swarm.remove(manager, worker.swarm_id)


def test_a_node_that_becomes_ready_again_is_not_removed(fleet: SimulatedFleet, manager: Node, worker: Node) -> None:
    fleet.machines.cut_off(worker.id)
    assert not all(node.ready for node in fleet.swarm.nodes(manager))
    fleet.machines.heal(worker.id)
    with pytest.raises(Conflict, match="still ready"):
        fleet.swarm.remove(manager, worker.swarm_id)


def test_a_network_is_not_mistaken_for_one_whose_name_contains_its_own(fleet: SimulatedFleet, manager: Node) -> None:
    fleet.swarm.ensure_network(manager, f"{NETWORK}-tenant", "10.113.0.0/24")
    fleet.swarm.ensure_network(manager, "tenant", "10.114.0.0/24")
    assert set(swarm_of(fleet, manager).networks) == {NETWORK, f"{NETWORK}-tenant", "tenant"}


def test_a_network_that_overlaps_another_is_refused(fleet: SimulatedFleet, manager: Node) -> None:
    with pytest.raises(InvalidInput, match="overlaps"):
        fleet.swarm.ensure_network(manager, "wide", "10.112.0.0/16")


def test_a_network_that_is_not_attachable_is_refused(fleet: SimulatedFleet, manager: Node) -> None:
    swarm_of(fleet, manager).networks[NETWORK].attachable = False
    with pytest.raises(InvalidInput, match="attachable"):
        fleet.swarm.ensure_network(manager, NETWORK, "10.112.0.0/24")


def test_a_fleets_networks_are_encrypted_where_it_says_so(fleet: SimulatedFleet, manager: Node) -> None:
    swarm = DockerSwarm(fleet.clients, encrypted=True)
    swarm.ensure_network(manager, "secret", "10.113.0.0/24")
    swarm.ensure_network(manager, "secret", "10.113.0.0/24")
    assert swarm_of(fleet, manager).networks["secret"].options == {"encrypted": "true"}
    assert swarm_of(fleet, manager).networks[NETWORK].options == {}


def test_a_network_is_not_taken_for_an_encrypted_one_nor_the_other_way_round(
    fleet: SimulatedFleet, manager: Node
) -> None:
    encrypting = DockerSwarm(fleet.clients, encrypted=True)
    with pytest.raises(InvalidInput, match="is not encrypted"):
        encrypting.ensure_network(manager, NETWORK, SUBNET)
    encrypting.ensure_network(manager, "secret", "10.113.0.0/24")
    with pytest.raises(InvalidInput, match="is encrypted"):
        fleet.swarm.ensure_network(manager, "secret", "10.113.0.0/24")


def test_a_network_that_the_swarm_has_not_furnished_yet_is_taken(
    fleet: SimulatedFleet, manager: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = OverlayNetwork.described
    bare = {"Driver": "", "IPAM": {"Driver": "", "Config": None}}
    monkeypatch.setattr(OverlayNetwork, "described", lambda network: {**described(network), **bare})
    fleet.swarm.ensure_network(manager, "tenant-a", None)
    fleet.swarm.ensure_network(manager, "tenant-b", "10.113.0.0/24")
    assert {"tenant-a", "tenant-b"} <= set(swarm_of(fleet, manager).networks)


@pytest.mark.parametrize(("age", "is_left_out"), [(timedelta(seconds=1), False), (timedelta(minutes=1), True)])
def test_a_network_for_which_the_pool_has_no_addresses_is_told_when_it_is_asked_for_again(
    fleet: SimulatedFleet, manager: Node, monkeypatch: pytest.MonkeyPatch, age: timedelta, is_left_out: bool
) -> None:
    described = OverlayNetwork.described
    bare = {"Driver": "", "IPAM": {"Driver": "", "Config": []}, "Created": (datetime.now(UTC) - age).isoformat()}
    monkeypatch.setattr(OverlayNetwork, "described", lambda network: {**described(network), **bare})
    fleet.swarm.ensure_network(manager, "tenant-a", None)
    with pytest.raises(Declined, match="no addresses left for the network tenant-a") if is_left_out else nullcontext():
        fleet.swarm.ensure_network(manager, "tenant-a", None)


def test_a_network_that_somebody_else_makes_at_the_same_time_is_checked(fleet: SimulatedFleet, manager: Node) -> None:
    engine = fleet.machines.engine(manager.id)

    def make_first(operation: str) -> float:
        if operation == "create network":
            engine.create_network(
                {"Name": "new", "Attachable": True, "IPAM": {"Config": [{"Subnet": "10.115.0.0/24"}]}}
            )
        return 0.0

    engine.faults.latency = make_first
    with pytest.raises(InvalidInput, match=r"10\.115\.0\.0/24, not 10\.116"):
        fleet.swarm.ensure_network(manager, "new", "10.116.0.0/24")


def test_after_a_rotation_the_old_tokens_let_nobody_in(fleet: SimulatedFleet, manager: Node) -> None:
    before = fleet.swarm.join_tokens(manager)
    fleet.swarm.rotate_join_tokens(manager)
    now = fleet.swarm.join_tokens(manager)
    swarm = swarm_of(fleet, manager)
    assert all(now[role] != before[role] for role in Role)
    with pytest.raises(Refusal, match="valid join token"):
        swarm.admit("i-0000000000000000c", "10.42.0.99", token=before[Role.WORKER])
    assert swarm.admit("i-0000000000000000c", "10.42.0.99", token=now[Role.WORKER]).role == "worker"


def test_a_rotation_that_meets_another_writer_reads_again(fleet: SimulatedFleet, manager: Node) -> None:
    before = fleet.swarm.join_tokens(manager)
    left = iter(range(2))

    def write_between(operation: str) -> float:
        if operation == "update swarm" and next(left, None) is not None:
            swarm_of(fleet, manager).rotate(swarm_of(fleet, manager).version, ())
        return 0.0

    fleet.machines.engine(manager.id).faults.latency = write_between
    fleet.swarm.rotate_join_tokens(manager)
    assert fleet.swarm.join_tokens(manager) != before


def test_a_rotation_that_never_gets_its_turn_is_a_conflict(fleet: SimulatedFleet, manager: Node) -> None:
    def always(operation: str) -> float:
        if operation == "update swarm":
            swarm_of(fleet, manager).rotate(swarm_of(fleet, manager).version, ())
        return 0.0

    fleet.machines.engine(manager.id).faults.latency = always
    with pytest.raises(Conflict, match="kept changing"):
        fleet.swarm.rotate_join_tokens(manager)
