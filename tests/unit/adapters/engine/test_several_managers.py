"""A simulated Swarm of several managers through the real adapter: leaders, votes, and what is refused without them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swarmkeeper.domain.model import Node, Role
from swarmkeeper.errors import Declined, NoLeader
from tests.unit.adapters.engine.simulated_fleet import SimulatedFleet, a_request


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[SimulatedFleet]:
    fleet = SimulatedFleet(monkeypatch, clock=clock, election_s=3.0)
    yield fleet
    fleet.close()


@pytest.fixture
def managers(fleet: SimulatedFleet) -> tuple[Node, Node, Node]:
    first = fleet.grow(1, Role.MANAGER)
    return first, fleet.grow(2, Role.MANAGER), fleet.grow(3, Role.MANAGER)


def votes(fleet: SimulatedFleet, asked: Node) -> dict[str, bool]:
    return {each.host_name: each.reachable for each in fleet.swarm.nodes(asked) if each.reachable is not None}


def test_a_swarm_has_no_leader_for_a_while_after_the_loss_of_one(
    fleet: SimulatedFleet, managers: tuple[Node, Node, Node], clock: Clock
) -> None:
    leader, second, third = managers
    fleet.machines.stop(leader.id)
    with pytest.raises(NoLeader):
        fleet.swarm.nodes(second)
    clock.now += 3.0
    assert votes(fleet, third) == {leader.id: False, second.id: True, third.id: True}


def test_the_loss_of_another_manager_than_the_leader_is_no_trouble(
    fleet: SimulatedFleet, managers: tuple[Node, Node, Node]
) -> None:
    fleet.machines.stop(managers[2].id)
    assert votes(fleet, managers[0])[managers[2].id] is False


def test_a_manager_that_is_parted_says_that_there_is_no_leader(
    fleet: SimulatedFleet, managers: tuple[Node, Node, Node]
) -> None:
    fleet.machines.part_from_managers(managers[2].id)
    with pytest.raises(NoLeader):
        fleet.swarm.nodes(managers[2])
    assert votes(fleet, managers[0])[managers[2].id] is False


def test_a_manager_that_is_demoted_has_no_vote_and_manages_nothing(
    fleet: SimulatedFleet, managers: tuple[Node, Node, Node]
) -> None:
    first, second, third = managers
    fleet.swarm.demote(second, first.swarm_id)
    fleet.swarm.demote(second, first.swarm_id)
    assert set(votes(fleet, second)) == {second.id, third.id}
    with pytest.raises(Declined, match="not a swarm manager"):
        fleet.swarm.nodes(first)


def test_a_demotion_that_would_cost_the_quorum_is_refused(
    fleet: SimulatedFleet, managers: tuple[Node, Node, Node]
) -> None:
    first, second, third = managers
    fleet.machines.stop(third.id)
    with pytest.raises(Declined, match="loss of quorum"):
        fleet.swarm.demote(first, second.swarm_id)
    assert votes(fleet, first)[second.id] is True


def test_a_node_that_is_not_listed_needs_no_demotion(fleet: SimulatedFleet, managers: tuple[Node, Node, Node]) -> None:
    fleet.swarm.demote(managers[0], "none-such")
    assert len(votes(fleet, managers[0])) == 3


def test_nothing_is_attached_to_an_overlay_without_a_leader_and_what_runs_runs_on(
    fleet: SimulatedFleet, managers: tuple[Node, Node, Node]
) -> None:
    worker = fleet.grow(4)
    fleet.engines.start(worker, fleet.engines.create(worker, a_request("web-1")))
    for dead in managers[1:]:
        fleet.machines.stop(dead.id)
    made = fleet.engines.create(worker, a_request("web-2"))
    with pytest.raises(Declined, match="Could not attach to network"):
        fleet.engines.start(worker, made)
    assert {each.name: each.running for each in fleet.engines.containers(worker)} == {"web-1": True, "web-2": False}


def test_after_a_new_cluster_was_forced_the_others_have_no_vote_and_can_be_removed(
    fleet: SimulatedFleet, managers: tuple[Node, Node, Node]
) -> None:
    survivor, *dead = managers
    worker = fleet.grow(4)
    for each in dead:
        fleet.machines.stop(each.id)
    fleet.machines.engine(survivor.id).force_new_cluster()
    assert votes(fleet, survivor) == {survivor.id: True}
    for each in dead:
        fleet.swarm.remove(survivor, each.swarm_id)
    assert {each.host_name for each in fleet.swarm.nodes(survivor)} == {survivor.id, worker.id}
    assert fleet.grow(5, Role.MANAGER).id in votes(fleet, survivor)
