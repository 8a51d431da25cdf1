from __future__ import annotations

import pytest

from swarmkeeper.domain.scaling.guards import GroupSize, Guard, Guarded, Limits, clamp
from swarmkeeper.domain.scaling.state import ScalingState
from tests.unit.domain.builders import NOW, WORKERS

GROUP = GroupSize(min=1, max=6, desired=3)
LIMITS = Limits(out_cooldown_s=30, in_cooldown_s=60, max_removals=1, max_additions=2, recheck_s=10, failed_retry_s=900)
FRESH = ScalingState(WORKERS)
JUST_GROWN = ScalingState(WORKERS, last_out_at=NOW - 10)
JUST_SHRUNK = ScalingState(WORKERS, last_in_at=NOW - 10)


@pytest.mark.parametrize(
    ("wish", "group", "state", "expected"),
    [
        pytest.param(3, GROUP, FRESH, Guarded(3), id="nothing to do"),
        pytest.param(5, GROUP, FRESH, Guarded(5), id="granted"),
        pytest.param(2, GROUP, FRESH, Guarded(2), id="one less granted"),
        pytest.param(9, GroupSize(1, 4, 3), FRESH, Guarded(4, Guard.MAX, NOW + 10), id="max"),
        pytest.param(9, GroupSize(1, 3, 3), FRESH, Guarded(3, Guard.MAX, NOW + 10), id="already at max"),
        pytest.param(0, GroupSize(2, 6, 3), FRESH, Guarded(2, Guard.MIN), id="min needs no recheck"),
        pytest.param(6, GROUP, FRESH, Guarded(5, Guard.RATE, NOW + 30), id="rate"),
        pytest.param(1, GROUP, FRESH, Guarded(2, Guard.FUSE, NOW + 60), id="fuse"),
        pytest.param(4, GROUP, JUST_GROWN, Guarded(3, Guard.OUT_COOLDOWN, NOW + 20), id="out cooldown"),
        pytest.param(2, GROUP, JUST_SHRUNK, Guarded(3, Guard.IN_COOLDOWN, NOW + 50), id="in cooldown"),
        pytest.param(2, GROUP, JUST_GROWN, Guarded(3, Guard.IN_COOLDOWN, NOW + 50), id="no shrinking after growing"),
        pytest.param(4, GROUP, JUST_SHRUNK, Guarded(4), id="growing after shrinking"),
        pytest.param(1, GroupSize(2, 6, 1), JUST_GROWN, Guarded(2, Guard.MIN), id="a cooldown never holds below min"),
        pytest.param(5, GroupSize(1, 3, 5), JUST_SHRUNK, Guarded(3, Guard.MAX, NOW + 10), id="nor above max"),
    ],
)
def test_a_wish_is_clamped_and_the_guard_named(
    wish: int, group: GroupSize, state: ScalingState, expected: Guarded
) -> None:
    assert clamp(wish, group, state, LIMITS, NOW) == expected


@pytest.mark.parametrize(("process", "wish"), [("Launch", 4), ("Terminate", 2)])
def test_a_suspended_process_holds_the_size(process: str, wish: int) -> None:
    group = GroupSize(1, 6, 3, frozenset({process}))
    assert clamp(wish, group, FRESH, LIMITS, NOW) == Guarded(3, Guard.SUSPENDED, NOW + 10)
    assert clamp(6 - wish, group, FRESH, LIMITS, NOW) == Guarded(6 - wish)


@pytest.mark.parametrize(
    ("wish", "ceiling", "failed_since", "expected"),
    [
        pytest.param(5, 1, NOW - 100, Guarded(1, Guard.FAILED, NOW + 800), id="lowered to what is there"),
        pytest.param(5, 2, NOW - 1000, Guarded(2, Guard.FAILED, NOW + 10), id="one try"),
        pytest.param(2, 2, NOW - 1000, Guarded(2), id="the try is all that is wished"),
        pytest.param(5, 0, NOW, Guarded(1, Guard.FAILED, NOW + 900), id="never below min"),
    ],
)
def test_a_failed_pool_is_held_at_its_ceiling(wish: int, ceiling: int, failed_since: float, expected: Guarded) -> None:
    state = ScalingState(WORKERS, failed_since=failed_since, last_in_at=NOW)
    assert clamp(wish, GROUP, state, LIMITS, NOW, ceiling) == expected
