from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import NodeId
from swarmkeeper.domain.scaling.failures import after_abandon, after_ready, ceiling_while_failed
from swarmkeeper.domain.scaling.state import ScalingState
from tests.unit.domain.builders import NOW, WORKERS

FRESH = ScalingState(WORKERS)


def abandoned(*nodes: str, state: ScalingState = FRESH) -> ScalingState:
    for node in nodes:
        state = after_abandon(state, NOW, NodeId(node))
    return state


def test_the_third_abandon_in_a_row_fails_the_pool() -> None:
    assert abandoned("a", "b").failed_since is None
    assert abandoned("a", "b", "c").failed_since == NOW


def test_the_same_abandon_delivered_again_in_any_order_counts_once() -> None:
    assert abandoned("a", "b", "a", "b", "a").abandoned_in_a_row == 2


def test_abandons_of_unnamed_nodes_are_all_counted() -> None:
    assert after_abandon(after_abandon(FRESH, NOW), NOW).abandoned_in_a_row == 2


def test_an_abandoned_retry_renews_the_failure() -> None:
    state = after_abandon(abandoned("a", "b", "c"), NOW + 900, NodeId("d"))
    assert state.failed_since == NOW + 900


def test_a_ready_node_clears_the_failure_and_a_late_copy_does_not_bring_it_back() -> None:
    cleared = after_ready(abandoned("a", "b", "c"))
    assert (cleared.abandoned_in_a_row, cleared.failed_since) == (0, None)
    assert abandoned("c", state=cleared) == cleared
    assert after_ready(FRESH) is FRESH


def test_memory_of_abandons_is_bounded() -> None:
    assert len(abandoned(*(f"i-{number}" for number in range(50))).abandoned_nodes) < 10


@pytest.mark.parametrize(
    ("failed_since", "joining", "ceiling"),
    [
        pytest.param(None, 0, None, id="not failed"),
        pytest.param(NOW - 899, 0, 2, id="what is there stays"),
        pytest.param(NOW - 900, 0, 3, id="one try when its time has come"),
        pytest.param(NOW - 900, 1, 3, id="no second one while it joins"),
        pytest.param(NOW, 2, 4, id="what joins stays"),
    ],
)
def test_a_failed_pool_has_a_ceiling(failed_since: float | None, joining: int, ceiling: int | None) -> None:
    state = replace(FRESH, failed_since=failed_since)
    assert ceiling_while_failed(state, in_service=2, joining=joining, retry_s=900, now=NOW) == ceiling
