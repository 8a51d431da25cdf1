"""What must hold in every replay, whatever the policy and the demand."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.simulation.demand import bound_node_hours, demand_of
from swarmkeeper.simulation.measures import Measures, waited_share
from swarmkeeper.simulation.model import PoolModel
from swarmkeeper.simulation.named import DEFAULTS, policy_named
from swarmkeeper.simulation.replay import Replay
from swarmkeeper.simulation.workload import Workload
from tests.simulation.builders import a_model, a_workload, options

JOBS = st.lists(
    st.tuples(
        st.integers(0, 4000).map(float),
        st.one_of(st.integers(0, 3000).map(float), st.just(inf)),
        st.sampled_from((0.5, 1.0, 2.0, 3.0, 4.0)),
    ),
    max_size=60,
)


def a_replay(name: str, workload: Workload, model: PoolModel, watch: object = None) -> Replay:
    named = policy_named(name, model, ArrivalHeadroom(boot_s=90), "binpack", 3.0)
    checks = {} if watch is None else {"watch": watch}
    placing = options(named.strategy)
    return Replay(workload, model, named.policy, placing, first_nodes=named.first_nodes, **checks)  # type: ignore[arg-type]


def check(replay: Replay) -> None:
    fleet, model = replay.fleet, replay.fleet.model
    for node in fleet.ready.values():
        assert 0 <= node.free_cpus <= model.node.nano_cpus
        assert 0 <= node.free_memory <= model.node.memory_bytes
        assert (node.containers == 0) == (node.id in fleet.empty)
    running = [job for job in replay._workload.jobs if fleet.is_placed(job)]
    assert sum(job.reservation.nano_cpus for job in running) == fleet.reserved_cpus
    assert sum(node.containers for node in fleet.ready.values()) == len(running)
    arrived = [job for job in replay._workload.jobs if job.at < replay.now]
    waiting = {job.number for job in replay.waiting}
    assert all(fleet.is_placed(job) != (job.number in waiting) for job in arrived if job.lifetime_s == inf)


@settings(max_examples=60, deadline=None)
@given(jobs=JOBS, name=st.sampled_from(DEFAULTS), failures=st.sampled_from((0.0, 0.3)))
def test_nothing_is_overcommitted_and_what_has_come_runs_or_waits(
    jobs: Sequence[tuple[float, float, float]], name: str, failures: float
) -> None:
    workload = a_workload(jobs)
    replay = a_replay(name, workload, a_model(launch_failures=failures), check)
    measures = replay.run()
    assert len(measures.waits) == len(workload.jobs)
    assert all(each >= 0 for each in measures.waits)
    present = len(replay.fleet)
    assert present == (4 if name == "fixed" else 1) + measures.bought - measures.removed - measures.failed


@settings(max_examples=60, deadline=None)
@given(jobs=JOBS, name=st.sampled_from(DEFAULTS))
def test_no_policy_pays_less_than_the_bound_once_everything_runs_without_waiting(
    jobs: Sequence[tuple[float, float, float]], name: str
) -> None:
    workload, model = a_workload(jobs), a_model()
    measures = a_replay(name, workload, model).run()
    bound = bound_node_hours(demand_of(workload, model.node), 0, workload.end_s)
    waited_node_s = sum(measures.waits)  # a job needs one node at most, so it puts off no more than it waited
    assert measures.node_s + waited_node_s >= bound * 3600 - 1e-3


@settings(max_examples=30, deadline=None)
@given(jobs=JOBS)
def test_our_policy_leaves_nobody_waiting_for_longer_than_a_boot_and_a_decision(
    jobs: Sequence[tuple[float, float, float]],
) -> None:
    measures = a_replay("ours", a_workload(jobs), a_model()).run()
    assert max(measures.waits, default=0.0) <= 90 + 5 + 1e-6


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_replay_repeats(name: str) -> None:
    workload = a_workload([(at * 7 % 3000, 600.0 + at, 1.0) for at in range(300)])

    def figures(measures: Measures) -> tuple[float, int, int, float]:
        return measures.node_s, measures.bought, measures.removed, waited_share(measures.waits)

    assert figures(a_replay(name, workload, a_model()).run()) == figures(a_replay(name, workload, a_model()).run())


def test_a_boot_is_paid_and_a_failed_launch_until_it_is_known() -> None:
    workload = a_workload([(10, inf, 4), (10, inf, 4)], end_s=1000)
    measures = a_replay("tracking-100", workload, a_model()).run()
    assert measures.bought == 1
    assert measures.node_s == 1000 + (1000 - 60)
    assert sorted(measures.waits) == [0, 60 + 90 - 10]


def test_only_what_comes_after_the_warm_up_is_counted() -> None:
    workload = a_workload([(0, inf, 1), (600, inf, 1)], end_s=1000)
    model = a_model()
    named = policy_named("fixed", model, ArrivalHeadroom(), "binpack", 1.0)
    measures = Replay(workload, model, named.policy, options(), first_nodes=2, warmup_s=500).run()
    assert measures.node_s == 2 * 500
    assert len(measures.waits) == len(measures.early_waits) == 1
