"""The baselines have the parameters that are published for them."""

from __future__ import annotations

from itertools import pairwise
from math import inf

from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom
from swarmkeeper.simulation.measures import Sample
from swarmkeeper.simulation.named import names_in, policy_named
from swarmkeeper.simulation.replay import Replay
from swarmkeeper.simulation.workload import Workload
from tests.simulation.builders import a_model, a_workload, options

MINUTE = 60.0


def samples(name: str, workload: Workload, first_nodes: int) -> list[Sample]:
    model = a_model()
    named = policy_named(name, model, ArrivalHeadroom(boot_s=90), "binpack", 1.0)
    placing = options(named.strategy)
    return Replay(workload, model, named.policy, placing, first_nodes=first_nodes).run().samples


def changes(found: list[Sample]) -> list[tuple[float, int]]:
    """When the number of paid nodes changed, and by how many."""
    pairs = pairwise(found)
    return [(after.at / MINUTE, after.paid - before.paid) for before, after in pairs if after.paid != before.paid]


def test_step_scaling_adds_a_tenth_two_minutes_after_the_share_is_above_eighty_percent_and_then_rests() -> None:
    workload = a_workload([(90, inf, 4) for _ in range(17)], end_s=900)  # 17 of 20 nodes: 85 %
    assert changes(samples("step-binpack", workload, 20)) == [(3, 2)]  # 17 of 22 are 77 %


def test_step_scaling_adds_three_tenths_above_ninety_percent() -> None:
    workload = a_workload([(90, inf, 4) for _ in range(19)], end_s=700)
    assert changes(samples("step-binpack", workload, 20)) == [(3, 6)]


def test_step_scaling_removes_a_tenth_of_the_nodes_after_a_quarter_of_an_hour_and_only_empty_ones() -> None:
    workload = a_workload([(0, inf, 1)], end_s=2000)
    assert changes(samples("step-binpack", workload, 20)) == [(14, -2), (19, -2), (24, -2), (29, -2)]  # the fifteenth
    spread = a_workload([(0, inf, 1) for _ in range(20)], end_s=2400)
    assert changes(samples("step-spread", spread, 20)) == []


def test_tracking_buys_after_a_minute_what_is_needed_at_its_target() -> None:
    workload = a_workload([(70, inf, 4) for _ in range(8)], end_s=600)
    assert changes(samples("tracking-100", workload, 4)) == [(2, 4)]
    assert changes(samples("tracking-80", workload, 4)) == [(2, 6)]


def test_tracking_removes_empty_nodes_after_fifteen_minutes() -> None:
    workload = a_workload([(0, inf, 4), (0, inf, 1)], end_s=3000)
    assert changes(samples("tracking-100", workload, 5)) == [(14, -3)]  # at the fifteenth sample


def test_ours_keeps_a_whole_node_for_the_few_that_need_one_though_many_have_some_room() -> None:
    pinned = [(0.0, inf, 3.0) for _ in range(130)]
    small = [(10.0 * number, 1500.0, 0.5) for number in range(1000)]
    whole = [(700.0 * number, 300.0, 4.0) for number in range(1, 14)]
    model = a_model()
    named = policy_named("ours", model, ArrivalHeadroom(boot_s=90), "busiest", 1.0)
    workload = a_workload([*pinned, *small, *whole], memory_mib=64)
    replay = Replay(workload, model, named.policy, options("busiest"), first_nodes=1, warmup_s=5000)
    assert max(replay.run().waits) == 0


def test_families_of_policies_can_be_named() -> None:
    assert names_in(["step", "ours", "tracking-77", "ours"]) == ("step-binpack", "step-spread", "ours", "tracking-77")
