"""Drawing arrivals and lifetimes, and what they need at least."""

from __future__ import annotations

from math import inf

import pytest

from swarmkeeper.domain.model import Resources
from swarmkeeper.simulation.demand import bound_node_hours, demand_of, peak_nodes
from swarmkeeper.simulation.trace import Trace, TraceRow
from swarmkeeper.simulation.workload import Batches, draw
from tests.fakes.builders import resources
from tests.simulation.builders import a_workload


def a_row(
    arrival_s: float = 0.0, batch: str = "a", lifetime: tuple[float, float] = (300, 600), censored: bool = False
) -> TraceRow:
    return TraceRow(arrival_s, batch, resources(1, 256), *lifetime, censored)


def a_trace(*rows: TraceRow) -> Trace:
    return Trace("trace.csv", rows, 900.0)


def test_times_are_drawn_within_their_bins_and_a_seed_draws_them_again() -> None:
    trace = a_trace(*(a_row() for _ in range(500)), *(a_row(600) for _ in range(500)))
    jobs = draw(trace, 7).jobs
    assert all(0 <= job.at < 300 for job in jobs[:500])
    assert all(600 <= job.at < 900 for job in jobs[500:])
    assert all(300 <= job.lifetime_s < 900 for job in jobs)
    assert [job.number for job in jobs] == list(range(1000))
    assert draw(trace, 7) == draw(trace, 7) != draw(trace, 8)


def test_what_still_ran_when_the_trace_ended_never_ends() -> None:
    assert draw(a_trace(a_row(censored=True)), 1).jobs[0].lifetime_s == inf


def test_a_batch_may_come_at_one_instant() -> None:
    trace = a_trace(a_row(), a_row(), a_row(batch="b"), a_row(600))
    times = [job.at for job in draw(trace, 1, batches=Batches.INSTANT).jobs]
    assert len(set(times)) == 3
    assert len({job.at for job in draw(trace, 1).jobs}) == 4


def test_leaving_out_long_lifetimes_changes_none_of_the_others() -> None:
    trace = a_trace(a_row(), a_row(lifetime=(7200, 10_800)), a_row())
    every, short = draw(trace, 1).jobs, draw(trace, 1, max_lifetime_s=600).jobs
    assert [(job.at, job.lifetime_s) for job in short] == [
        (job.at, job.lifetime_s) for job in every if job.lifetime_s < 7200
    ]


def test_the_bound_is_what_the_scarcer_resource_needs_over_time() -> None:
    workload = a_workload([(0, 7200, 2), (3600, 3600, 2)], end_s=10_800, memory_mib=1024)
    by_cpus = demand_of(workload, Resources(4 * 10**9, 2**40))
    assert bound_node_hours(by_cpus, 0, workload.end_s) == pytest.approx(0.5 + 1.0)
    assert bound_node_hours(by_cpus, 3600, workload.end_s) == pytest.approx(1.0)
    assert peak_nodes(by_cpus) == 1.0
    by_memory = demand_of(workload, Resources(4 * 10**12, 2**30))
    assert bound_node_hours(by_memory, 0, workload.end_s) == pytest.approx(1.0 + 2.0)
