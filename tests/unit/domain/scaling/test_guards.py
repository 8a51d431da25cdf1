from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.scaling.guards import (
    Cap,
    GroupSize,
    Guard,
    Guarded,
    Limits,
    cap_of_cooldown,
    caps_on_growth,
    caps_on_removal,
    grown,
    shrunk,
)
from swarmkeeper.domain.scaling.state import REMEMBERED, ScalingState, with_change, within_window
from tests.unit.domain.builders import NOW, WORKERS

GROUP = GroupSize(min=1, max=6, desired=3)
LIMITS = Limits(
    out_cooldown_s=30,
    in_cooldown_s=60,
    additions_in_window=2,
    additions_window_s=100,
    removals_in_window=1,
    removals_window_s=100,
    recheck_s=10,
)
FRESH = ScalingState(WORKERS)
JUST_GROWN = ScalingState(WORKERS, last_out_at=NOW - 10)
JUST_SHRUNK = ScalingState(WORKERS, last_in_at=NOW - 10)
BOUGHT = ScalingState(WORKERS, bought=((NOW - 200, 5), (NOW - 70, 1)))
REMOVED = ScalingState(WORKERS, removed=((NOW - 70, 1),))


@pytest.mark.parametrize(
    ("wish", "group", "state", "expected"),
    [
        pytest.param(3, GROUP, FRESH, Guarded(3), id="nothing to do"),
        pytest.param(5, GROUP, FRESH, Guarded(5), id="granted"),
        pytest.param(9, GroupSize(1, 4, 3), FRESH, Guarded(4, (Guard.MAX, Guard.RATE), NOW + 10), id="max"),
        pytest.param(6, GROUP, FRESH, Guarded(5, (Guard.RATE,), NOW + 100), id="rate"),
        pytest.param(6, GROUP, BOUGHT, Guarded(4, (Guard.RATE,), NOW + 30), id="what was bought lately counts"),
        pytest.param(4, GROUP, JUST_GROWN, Guarded(3, (Guard.OUT_COOLDOWN,), NOW + 20), id="out cooldown"),
        pytest.param(4, GROUP, JUST_SHRUNK, Guarded(4), id="growing after shrinking"),
        pytest.param(4, GroupSize(1, 6, 3, frozenset({"Launch"})), FRESH, Guarded(3, (Guard.SUSPENDED,), NOW + 10)),
        pytest.param(4, GroupSize(1, 6, 3, frozenset({"Terminate"})), FRESH, Guarded(4), id="only what grows"),
        pytest.param(
            9,
            GroupSize(1, 3, 3),
            JUST_GROWN,
            Guarded(3, (Guard.MAX, Guard.OUT_COOLDOWN, Guard.RATE), NOW + 10),
            id="all are told, the one that binds first",
        ),
        pytest.param(2, GroupSize(2, 6, 1), JUST_GROWN, Guarded(2), id="a cooldown never holds below min"),
    ],
)
def test_a_wish_to_grow_is_capped_and_the_guards_named(
    wish: int, group: GroupSize, state: ScalingState, expected: Guarded
) -> None:
    caps = (*caps_on_growth(group, state, LIMITS, NOW), *cap_of_cooldown(group, state, LIMITS, NOW))
    held = grown(wish, caps)
    assert (held.desired, set(held.guards), held.recheck_at) == (
        expected.desired,
        set(expected.guards),
        expected.recheck_at,
    )
    assert held.capped_by == expected.capped_by


@pytest.mark.parametrize(
    ("wish", "group", "state", "expected"),
    [
        pytest.param(2, GROUP, FRESH, Guarded(2), id="one less granted"),
        pytest.param(0, GroupSize(2, 6, 3), FRESH, Guarded(2, (Guard.MIN, Guard.FUSE)), id="min needs no recheck"),
        pytest.param(1, GROUP, FRESH, Guarded(2, (Guard.FUSE,), NOW + 100), id="fuse"),
        pytest.param(1, GROUP, REMOVED, Guarded(3, (Guard.FUSE,), NOW + 60), id="what was removed lately counts"),
        pytest.param(2, GROUP, JUST_SHRUNK, Guarded(3, (Guard.IN_COOLDOWN,), NOW + 50), id="in cooldown"),
        pytest.param(2, GROUP, JUST_GROWN, Guarded(3, (Guard.IN_COOLDOWN,), NOW + 50), id="no shrinking after growing"),
        pytest.param(2, GroupSize(1, 6, 3, frozenset({"Terminate"})), FRESH, Guarded(3, (Guard.SUSPENDED,), NOW + 10)),
        pytest.param(2, GroupSize(1, 6, 3, frozenset({"Launch"})), FRESH, Guarded(2), id="only what shrinks"),
    ],
)
def test_a_wish_to_shrink_is_capped_and_the_guards_named(
    wish: int, group: GroupSize, state: ScalingState, expected: Guarded
) -> None:
    assert shrunk(wish, caps_on_removal(group, state, LIMITS, NOW)) == expected


def test_an_instance_refresh_keeps_all_nodes() -> None:
    held = shrunk(2, caps_on_removal(GROUP, FRESH, LIMITS, NOW, refreshing=True))
    assert held == Guarded(3, (Guard.REFRESH,), NOW + 10)


@pytest.mark.parametrize(("draining", "desired"), [(0, 1), (1, 2), (2, 3), (5, 3)])
def test_only_so_many_nodes_drain_at_once(draining: int, desired: int) -> None:
    limits = replace(LIMITS, removals_in_window=None, drains_at_once=2)
    assert shrunk(0, caps_on_removal(GROUP, FRESH, limits, NOW, draining=draining)).desired == desired


@pytest.mark.parametrize(
    ("share", "number", "bought", "left"),
    [
        pytest.param(0.1, None, (), 4, id="a tenth of forty"),
        pytest.param(0.01, None, (), 1, id="one at least"),
        pytest.param(0.1, 3, (), 3, id="the stricter of the two"),
        pytest.param(0.1, None, ((NOW - 1, 20),), 2, id="of the nodes at the window's start"),
        pytest.param(None, None, (), 39, id="no limit"),
    ],
)
def test_the_fuse_is_a_number_or_a_share(
    share: float | None, number: int | None, bought: tuple[tuple[float, int], ...], left: int
) -> None:
    limits = Limits(removals_in_window=number, removals_share=share, drains_at_once=99)
    caps = caps_on_removal(GroupSize(1, 99, 40), ScalingState(WORKERS, bought=bought), limits, NOW)
    assert shrunk(0, caps).desired == 40 - left


@pytest.mark.parametrize(
    ("wish", "ceiling", "desired"),
    [
        pytest.param(5, Cap(Guard.FAILED, 1, NOW + 800), 1, id="lowered to what is there"),
        pytest.param(5, Cap(Guard.UNAVAILABLE, 2, NOW + 10), 2, id="no launch is tried"),
        pytest.param(2, Cap(Guard.FAILED, 2, NOW), 2, id="what is wished"),
        pytest.param(5, Cap(Guard.FAILED, 0, NOW + 900), 1, id="never below min"),
    ],
)
def test_a_failed_pool_is_held_at_its_ceiling(wish: int, ceiling: Cap, desired: int) -> None:
    held = grown(wish, caps_on_growth(GROUP, FRESH, LIMITS, NOW, ceiling))
    assert held.desired == desired
    if desired < wish:
        assert (held.capped_by, held.recheck_at) == (ceiling.guard, ceiling.again_at)


def test_what_is_older_than_the_longest_window_is_forgotten() -> None:
    assert with_change(((NOW - 500, 3), (NOW - 50, 1)), 2, now=NOW, memory_s=100) == ((NOW - 50, 1), (NOW, 2))


def test_a_long_memory_tells_its_oldest_changes_together_and_never_too_few() -> None:
    changes: tuple[tuple[float, int], ...] = ()
    for number in range(3 * REMEMBERED):
        changes = with_change(changes, 1, now=NOW + number, memory_s=1e6)
    assert len(changes) == REMEMBERED
    assert within_window(changes, 1e6, NOW + 3 * REMEMBERED) == 3 * REMEMBERED
