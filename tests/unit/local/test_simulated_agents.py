"""Simulated nodes tell what ended on them, once for all that ends together, and of the fleet's containers only."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, Queue

import pytest

from local.machines.simulated_agents import SimulatedAgents
from swarmkeeper.domain.model import ContainerName, Role
from tests.unit.adapters.engine.simulated_fleet import IMAGE, NETWORK, SimulatedFleet, a_request

LONG_S, SHORT_S = 20.0, 0.05
WEB = ContainerName("web-1")


@pytest.fixture
def told() -> Queue[str]:
    return Queue()


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch, told: Queue[str]) -> Iterator[SimulatedFleet]:
    fleet = SimulatedFleet(monkeypatch, tell_end=told.put, quiet_s=SHORT_S)
    fleet.grow(1, Role.MANAGER)
    yield fleet
    fleet.close()


def test_a_container_that_stops_and_one_that_is_removed_are_told_of(fleet: SimulatedFleet, told: Queue[str]) -> None:
    worker = fleet.grow(2)
    fleet.engines.start(worker, fleet.engines.create(worker, a_request()))
    fleet.engines.stop(worker, WEB, network=NETWORK)
    assert told.get(timeout=LONG_S) == worker.id
    fleet.engines.remove(worker, WEB)
    assert told.get(timeout=LONG_S) == worker.id


def test_a_strangers_container_is_nobodys_business(fleet: SimulatedFleet, told: Queue[str]) -> None:
    worker = fleet.grow(2)
    engine = fleet.machines.engine(worker.id)
    engine.remove(engine.create("stranger", {"Image": IMAGE}), force=True)
    fleet.engines.create(worker, a_request())
    fleet.engines.remove(worker, WEB)
    assert told.get(timeout=LONG_S) == worker.id
    with pytest.raises(Empty):
        told.get_nowait()


def test_what_ends_together_is_told_once_a_node(told: Queue[str]) -> None:
    agents = SimulatedAgents(told.put, quiet_s=SHORT_S)
    for _ in range(100):
        agents.something_ended("i-1")
        agents.something_ended("i-2")
    assert sorted(told.get(timeout=LONG_S) for _ in range(2)) == ["i-1", "i-2"]
    agents.close()
    assert told.empty()


def test_a_closed_agent_tells_nothing(told: Queue[str]) -> None:
    agents = SimulatedAgents(told.put, quiet_s=LONG_S)
    agents.something_ended("i-1")
    agents.close()
    agents.something_ended("i-1")
    assert told.empty()


def test_that_an_agent_began_to_listen_is_told_twice(told: Queue[str]) -> None:
    agents = SimulatedAgents(told.put, quiet_s=SHORT_S, again_s=3 * SHORT_S)
    agents.began_to_listen("i-1")
    assert [told.get(timeout=LONG_S) for _ in range(2)] == ["i-1", "i-1"]
    agents.close()
    agents.began_to_listen("i-1")
    assert told.empty()


def test_an_engine_that_was_stopped_and_started_is_told_of_by_its_agent(
    fleet: SimulatedFleet, told: Queue[str]
) -> None:
    worker = fleet.grow(2)
    fleet.machines.halt(worker.id)
    fleet.machines.heal(worker.id)
    assert told.get(timeout=LONG_S) == worker.id
