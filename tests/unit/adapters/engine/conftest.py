"""A fleet of one manager and one worker for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swarmkeeper.domain.model import Node, Role
from tests.unit.adapters.engine.simulated_fleet import SimulatedFleet


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedFleet]:
    fleet = SimulatedFleet(monkeypatch)
    yield fleet
    fleet.close()


@pytest.fixture
def manager(fleet: SimulatedFleet) -> Node:
    return fleet.grow(1, Role.MANAGER)


@pytest.fixture
def worker(fleet: SimulatedFleet, manager: Node) -> Node:
    return fleet.grow(2)
