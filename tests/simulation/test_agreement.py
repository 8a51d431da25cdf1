"""The simulator's own policy decides what `decide_fleet` decides, on fleets as they come up in a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.simulation.fleet import Fleet
from swarmkeeper.simulation.model import PUBLISHED_NODE, PoolModel
from swarmkeeper.simulation.policies.base import Change
from swarmkeeper.simulation.policies.ours import Ours
from swarmkeeper.simulation.policies.product import Configured, Product
from swarmkeeper.simulation.replay import Replay
from swarmkeeper.simulation.trace import read_trace
from swarmkeeper.simulation.waiting import Waiting
from swarmkeeper.simulation.workload import Batches, Job, Workload, draw
from tests.simulation.builders import EXCERPT, a_model, a_workload, options

HOURS = 4
ALIKE = ("binpack", "busiest", "oldest", "random")
"""Spread puts what waits on the nodes that are bought for headroom: the product sees that, the simulator does not."""
UNGUARDED = Limits(out_cooldown_s=0, in_cooldown_s=0, removals_in_window=None, drains_at_once=100_000)


class Both:
    """Lets one policy decide, and asks the product what it would have decided at the same moments."""

    def __init__(self, headroom: ArrivalHeadroom, strategy: str, every_s: float) -> None:
        policy = Policy(options(strategy), reserved_high=1.0, limits=UNGUARDED, arrival_headroom=headroom)
        self.every_s = every_s
        self.compared = self.bought = self.removed = 0
        self._ours = Ours(headroom, every_s)
        self._product = Product(Configured(policy, 0, 100_000), every_s)

    def arrived(self, job: Job) -> None:
        self._ours.arrived(job)
        self._product.arrived(job)

    def ended(self, job: Job) -> None:
        self._ours.ended(job)
        self._product.ended(job)

    def decide(self, fleet: Fleet, waiting: Waiting, now: float) -> Change:
        theirs = self._product.decide(fleet, waiting, now)
        change = self._ours.decide(fleet, waiting, now)
        assert (change.buy, len(change.remove)) == (theirs.buy, len(theirs.remove)), (now, self._product.last)
        self.compared += 1
        self.bought += change.buy
        self.removed += len(change.remove)
        return change


def compare(workload: Workload, model: PoolModel, strategy: str, every_s: float) -> Both:
    both = Both(ArrivalHeadroom(boot_s=model.boot_s, memory_s=1800), strategy, every_s)
    Replay(workload, model, both, options(strategy)).run()
    return both


@settings(max_examples=25, deadline=None)
@given(
    jobs=st.lists(
        st.tuples(
            st.integers(0, 3000).map(float),
            st.one_of(st.integers(10, 2000).map(float), st.just(inf)),
            st.sampled_from((0.5, 1.0, 2.0, 3.0, 4.0)),
        ),
        max_size=40,
    ),
    strategy=st.sampled_from(ALIKE),
)
def test_on_drawn_demand_both_decide_alike(jobs: Sequence[tuple[float, float, float]], strategy: str) -> None:
    compare(a_workload(jobs, end_s=4000), a_model(), strategy, 50.0)


def test_with_a_few_jobs_that_need_a_whole_node_both_decide_alike() -> None:
    small = [(25.0 * number, 600.0, 0.5) for number in range(160)]
    whole = [(350.0 * number, 900.0, 4.0) for number in range(1, 8)]
    both = compare(a_workload([*small, *whole], end_s=4000), a_model(), "busiest", 20.0)
    assert both.bought > 8
    assert both.removed > 2


@pytest.mark.parametrize("strategy", ALIKE)
@pytest.mark.parametrize("batches", Batches)
def test_on_real_demand_both_decide_alike(batches: Batches, strategy: str) -> None:
    jobs = draw(read_trace(EXCERPT), 1, batches=batches).jobs
    workload = Workload(tuple(job for job in jobs if job.at < HOURS * 3600), HOURS * 3600)
    both = compare(workload, PoolModel(PUBLISHED_NODE), strategy, 60.0)
    assert both.compared == HOURS * 60
    assert both.bought > 5
    assert both.removed > 2
