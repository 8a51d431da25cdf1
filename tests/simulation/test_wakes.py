"""The policy `config` decides when the scaler would."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.services.scaler import Scaler
from swarmkeeper.simulation.fleet import Fleet
from swarmkeeper.simulation.policies.base import Change
from swarmkeeper.simulation.policies.product import Configured, Product
from swarmkeeper.simulation.replay import Replay
from swarmkeeper.simulation.waiting import Waiting
from swarmkeeper.simulation.workload import Job, Workload
from tests.fakes import FakeEvents, FakeFleet, FakeStateStore, FixedClock
from tests.simulation.builders import a_model, a_workload, options
from tests.unit.services.test_scaler import FakeAlarms
from tests.unit.services.world import FLEET

MINUTE = 60.0
UNALARMED = Policy(options(), reserved_high=1.1, reserved_low=0, limits=Limits(in_cooldown_s=300, removals_in_window=1))
"""No share is ever out of this band."""


class Compared:
    """Decides each minute, and asks a scaler that finds the same fleet in its table whether it would."""

    every_s = MINUTE

    def __init__(self, policy: Policy, least: int) -> None:
        self.product = Product(Configured(policy, least, 100, MINUTE), MINUTE)
        self.slept = self.woken = 0
        self._policy, self._least = policy, least

    def arrived(self, job: Job) -> None:
        self.product.arrived(job)

    def ended(self, job: Job) -> None:
        self.product.ended(job)

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        expected = bool(waiting) or self._scaler(fleet, now)
        before = self.product.last
        change = self.product.decide(fleet, waiting, now)
        assert (self.product.last is not before) == expected, now
        self.woken += expected
        self.slept += not expected
        return change

    def _scaler(self, fleet: Fleet, now: float) -> bool:
        store, groups = FakeStateStore(), FakeFleet()
        pool = replace(fleet.pool, min=self._least, max=100)
        groups.add_group(pool.group, min=self._least, max=100, desired=len(fleet))
        for node in (*fleet.ready.values(), *fleet.booting):
            store.add_node(fleet.record(node))
        store.save_scaling(replace(self.product.state or ScalingState(pool.name), version=0))
        scaler = Scaler(
            fleet_name=FLEET,
            store=store,
            fleet=groups,
            events=FakeEvents(),
            alarms=FakeAlarms(),
            clock=FixedClock(now),
            pools=[pool],
            policies={pool.name: self._policy},
        )
        return bool(scaler.recheck())


def compare(workload: Workload, least: int = 1) -> Compared:
    both = Compared(UNALARMED, least)
    Replay(workload, a_model(), both, options(), first_nodes=least).run()
    return both


def test_the_schedule_wakes_both_alike_while_demand_comes_and_goes() -> None:
    jobs = [(700.0 * wave + number, 600.0 + 60 * number, 2.0) for wave in range(9) for number in range(8)]
    both = compare(a_workload([*jobs, (0.0, inf, 1.0)], end_s=9000))
    assert both.woken > 5
    assert both.slept > 20


def test_empty_nodes_go_though_the_share_stays_in_its_band() -> None:
    both = compare(a_workload([*((0.0, inf, 3.0) for _ in range(6)), *((0.0, 1000.0, 4.0) for _ in range(3))]))
    assert both.product.last is not None
    assert both.product.last.desired == 6


def test_nobody_is_woken_while_the_least_number_of_nodes_is_there() -> None:
    both = compare(a_workload([(0.0, 100.0, 1.0)], end_s=3000), least=3)
    assert both.woken == 0


@pytest.mark.parametrize(
    ("policy", "decides"),
    [
        pytest.param(UNALARMED, False, id="in the band"),
        pytest.param(replace(UNALARMED, reserved_high=0.7), True, id="above it"),
        pytest.param(replace(UNALARMED, reserved_low=0.8), True, id="below it"),
        pytest.param(replace(UNALARMED, arrival_headroom=ArrivalHeadroom()), True, id="arrivals are followed"),
    ],
)
def test_an_alarm_and_a_placement_that_counts_wake_it_too(policy: Policy, decides: bool) -> None:
    product = Product(Configured(policy, 1, 100, MINUTE), 5.0)
    workload = a_workload([(0.0, inf, 3.0)], end_s=8.0)
    Replay(workload, a_model(), product, options()).run()
    assert (product.last is not None) is decides
