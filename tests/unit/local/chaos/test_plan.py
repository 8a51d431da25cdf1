"""The plan of a run: a seed's faults are always the same, and every kind has its turn."""

from __future__ import annotations

from itertools import pairwise

import pytest

from local.chaos.faults import INJECTORS, LEFT_OUT, SIMULATED_ONLY, kinds_for, left_out
from local.chaos.plan import LASTS_S, STEPS, Kind, draw


def test_the_same_seed_draws_the_same_faults() -> None:
    first, second = (draw(7, 50, mean_gap_s=8, kinds=tuple(Kind)) for _ in range(2))
    assert first == second
    assert first != draw(8, 50, mean_gap_s=8, kinds=tuple(Kind))


def test_a_longer_plan_begins_like_a_shorter_one() -> None:
    assert draw(7, 50, mean_gap_s=8, kinds=tuple(Kind))[:10] == draw(7, 10, mean_gap_s=8, kinds=tuple(Kind))


def test_every_kind_comes_once_before_any_comes_again() -> None:
    planned = draw(3, 2 * len(Kind), mean_gap_s=8, kinds=tuple(Kind))
    assert {one.kind for one in planned[: len(Kind)]} == {one.kind for one in planned[len(Kind) :]} == set(Kind)


def test_the_gaps_are_exponential_with_the_mean_asked_for() -> None:
    planned = draw(1, 4000, mean_gap_s=8, kinds=tuple(Kind))
    assert planned[-1].at_s / len(planned) == pytest.approx(8, rel=0.1)
    gaps = [after.at_s - before.at_s for before, after in pairwise(planned)]
    assert sum(gap > 8 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.03)  # 1/e


def test_a_target_is_chosen_by_its_place_in_order_whatever_order_is_given() -> None:
    for planned in draw(1, 30, mean_gap_s=8, kinds=tuple(Kind)):
        assert planned.choice(["i-b", "i-a", "i-c"]) == planned.choice(["i-c", "i-b", "i-a"])
        assert planned.choice(["i-a"]) == "i-a"
        assert LASTS_S[0] <= planned.lasts_s <= LASTS_S[1]
        assert 1 <= planned.step <= STEPS


def test_each_kind_can_be_injected_and_what_is_not_has_its_reason() -> None:
    assert set(INJECTORS) == set(Kind) == set(kinds_for("simulated", managers=3))
    assert set(Kind) - set(kinds_for("real", managers=3)) == set(SIMULATED_ONLY)
    assert set(Kind) - set(kinds_for("simulated", managers=1)) == {Kind.MANAGER_KILLED}
    assert left_out("simulated", managers=3) == LEFT_OUT
    assert set(left_out("real", managers=3)) == {*LEFT_OUT, *map(str, SIMULATED_ONLY)}
    assert set(left_out("simulated", managers=1)) == {*LEFT_OUT, "manager-killed"}
