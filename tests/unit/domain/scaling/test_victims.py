from __future__ import annotations

from collections.abc import Sequence

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, Node
from swarmkeeper.domain.scaling.demand import Headroom
from swarmkeeper.domain.scaling.fleet import FleetSeen
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.victims import removable
from tests.unit.domain.builders import NOW, WORKERS, a_container, a_node, a_snapshot, options, resources

POLICY = Policy(options(), reserved_high=0.8, reserved_low=0.5)


def chosen(nodes: Sequence[Node], containers: Sequence[Container] = (), policy: Policy = POLICY) -> list[str]:
    fleet = FleetSeen(a_snapshot(*nodes, containers=containers), {WORKERS: policy}, NOW)
    return [str(node_id) for node_id in removable(fleet, [WORKERS])[WORKERS].nodes]


def test_empty_nodes_go_first_the_oldest_first() -> None:
    nodes = [a_node("i-0a", created_at=3), a_node("i-0b", created_at=1), a_node("i-0c"), a_node("i-0d", created_at=2)]
    containers = [a_container(on="i-0c", movable=True)]
    assert chosen(nodes, containers) == ["i-0b", "i-0d", "i-0a"]


def test_then_the_node_with_the_fewest_movable_containers() -> None:
    nodes = [a_node("i-0a"), a_node("i-0b"), a_node("i-0c")]
    containers = [a_container(name, on=on, movable=True) for name, on in [("a", "i-0a"), ("b", "i-0a"), ("c", "i-0b")]]
    assert chosen(nodes, containers)[:2] == ["i-0c", "i-0b"]


@pytest.mark.parametrize(
    "container",
    [
        pytest.param(a_container(movable=False), id="unmovable"),
        pytest.param(a_container(movable=True, state=ContainerState.RESERVED), id="just being created"),
        pytest.param(a_container(movable=True, moving_to="i-0b"), id="just being moved"),
        pytest.param(a_container(movable=True, constraints=("node==i-0a",)), id="bound to its node"),
        pytest.param(a_container(movable=True, constraints=("node!=i-0b",)), id="refused by the others"),
    ],
)
def test_a_node_stays_while_it_holds_what_can_not_go_elsewhere(container: Container) -> None:
    nodes = [a_node("i-0a"), a_node("i-0b")]
    assert chosen(nodes, [container, a_container("b", on="i-0b")]) == []


def test_a_container_that_is_being_removed_needs_no_other_place() -> None:
    nodes = [a_node("i-0a"), a_node("i-0b")]
    going = a_container(on="i-0a", state=ContainerState.REMOVING)
    assert chosen(nodes, [going, a_container("b", on="i-0b")]) == ["i-0a"]


def test_a_node_whose_totals_know_more_than_the_listing_stays() -> None:
    nodes = [a_node("i-0a", containers=1), a_node("i-0b")]
    assert chosen(nodes, [a_container(on="i-0b")]) == []


def test_nodes_with_containers_stay_unless_the_share_is_low() -> None:
    nodes = [a_node("i-0a"), a_node("i-0b")]
    containers = [a_container("a", on="i-0a", cpus=1, movable=True), a_container("b", on="i-0b", cpus=1, movable=True)]
    assert chosen(nodes, containers) == []


def test_an_empty_node_stays_when_the_others_would_reach_the_high_share() -> None:
    nodes = [a_node("i-0a"), a_node("i-0b")]
    assert chosen(nodes, [a_container(on="i-0a", cpus=1.6)]) == []
    assert chosen(nodes, [a_container(on="i-0a", cpus=1.5)]) == ["i-0b"]


def test_victims_leave_the_headroom() -> None:
    nodes = [a_node("i-0a"), a_node("i-0b"), a_node("i-0c")]
    policy = Policy(options(), headroom=Headroom(resources(3, 0)))
    assert chosen(nodes, policy=policy) == ["i-0a"]


def test_victims_are_proven_one_after_the_other() -> None:
    nodes = [a_node(f"i-0{letter}") for letter in "abcd"]
    containers = [a_container(letter, on=f"i-0{letter}", cpus=0.9, movable=True) for letter in "abcd"]
    assert chosen(nodes, containers, Policy(options(), reserved_high=1.01, reserved_low=0.5)) == [
        "i-0a",
        "i-0c",
    ]  # i-0b took in a


def test_other_pools_and_nodes_that_are_not_ready_are_never_victims() -> None:
    nodes = [a_node("i-0a", pool="other"), a_node("i-0b", state=NodeState.JOINING), a_node("i-0c")]
    assert chosen(nodes) == ["i-0c"]
