"""Needs are told seldom, by one process, and each is decided on after all that came in its window."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.errors import Contention, Unavailable
from swarmkeeper.ports import Event
from swarmkeeper.services.needs import NEED_DELAY_S, NEED_WINDOW_S, CapacityNeeds
from tests.fakes import FakeEvents, FakeStateStore, FixedClock

NOW = 1_700_000_001.0


class Fleet:
    """Some processes that share a table and a bus."""

    def __init__(self, processes: int = 3) -> None:
        self.clock = FixedClock(NOW)
        self.store, self.events = FakeStateStore(), FakeEvents()
        self.processes = [
            CapacityNeeds(
                fleet_name="demo", store=self.store, events=self.events, clock=self.clock, random=Random(number)
            )
            for number in range(processes)
        ]

    @property
    def told(self) -> int:
        return len(self.events.of(Event.CAPACITY_NEEDED))


def test_a_burst_is_told_once_whoever_has_it() -> None:
    fleet = Fleet()
    for number in range(300):
        fleet.processes[number % 3].tell()
    assert fleet.events.of(Event.CAPACITY_NEEDED) == [{"fleet": "demo"}]


def test_a_process_asks_the_table_once_a_window() -> None:
    fleet = Fleet()
    for number in range(300):
        fleet.processes[number % 3].tell()
    assert fleet.store.calls["claim"] == 3


def test_the_next_window_is_told_again() -> None:
    fleet = Fleet(1)
    assert [fleet.processes[0].tell(), fleet.processes[0].tell()] == [True, False]
    fleet.clock.advance(NEED_WINDOW_S)
    assert fleet.processes[0].tell()


def test_a_need_that_the_bus_did_not_take_is_told_by_the_next_request() -> None:
    fleet = Fleet(1)
    fleet.events.fail("publish", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        fleet.processes[0].tell()
    assert fleet.processes[0].tell()
    assert fleet.told == 1


def test_a_process_that_died_before_telling_costs_one_window() -> None:
    fleet = Fleet(2)
    fleet.events.fail("publish", Unavailable("it died"))
    with pytest.raises(Unavailable):
        fleet.processes[0].tell()
    assert not fleet.processes[1].tell()
    fleet.clock.advance(NEED_WINDOW_S)
    assert fleet.processes[1].tell()


def test_two_processes_that_meet_leave_the_need_to_one_of_them() -> None:
    fleet = Fleet(2)
    fleet.store.fail("claim", Contention("two writers met"))
    with pytest.raises(Contention):
        fleet.processes[0].tell()
    assert fleet.processes[1].tell()


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 20)), min_size=1, max_size=60))
def test_every_request_is_stored_before_a_decision_looks_and_decisions_are_few(
    arrivals: list[tuple[int, float]],
) -> None:
    fleet = Fleet()
    told_at: list[float] = []
    parked: list[float] = []
    for process, wait_s in arrivals:
        fleet.clock.advance(wait_s)
        parked.append(fleet.clock.now())
        if fleet.processes[process].tell():
            told_at.append(fleet.clock.now())
    decided_at = [at + NEED_DELAY_S for at in told_at]
    for at in parked:
        assert any(at <= decided <= at + NEED_DELAY_S for decided in decided_at)
    windows = [at // NEED_WINDOW_S for at in told_at]
    assert len(windows) == len(set(windows))
