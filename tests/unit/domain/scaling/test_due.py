"""What the schedule decides for though no alarm tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node
from swarmkeeper.domain.scaling.due import is_recheck_due, may_lose_an_empty_node
from swarmkeeper.domain.scaling.guards import Limits
from swarmkeeper.domain.scaling.state import ScalingState
from tests.fakes.builders import a_node
from tests.unit.domain.builders import NOW, a_pool

POOL = replace(a_pool(), min=1)
STATE = ScalingState(POOL.name)
LIMITS = Limits(in_cooldown_s=300)
BUSY, EMPTY = a_node("i-0a", containers=3), a_node("i-0b")


@pytest.mark.parametrize(("recheck_at", "due"), [(None, False), (NOW, True), (NOW - 1, True), (NOW + 0.5, False)])
def test_a_recheck_is_due_from_its_time_on(recheck_at: float | None, due: bool) -> None:
    assert is_recheck_due(replace(STATE, recheck_at=recheck_at), NOW) is due


@pytest.mark.parametrize(
    ("nodes", "due"),
    [
        pytest.param([BUSY, EMPTY], True, id="one of two holds nothing"),
        pytest.param([EMPTY], False, id="at the minimum"),
        pytest.param([BUSY, a_node("i-0b", containers=1)], False, id="all hold something"),
        pytest.param([BUSY, replace(EMPTY, protected=True)], False, id="protected"),
        pytest.param([BUSY, replace(EMPTY, state=NodeState.DRAINING)], False, id="on its way out"),
        pytest.param([BUSY, replace(EMPTY, state=NodeState.LAUNCHING)], False, id="on its way in"),
        pytest.param([BUSY, a_node("i-0b", pool="other")], False, id="of another pool"),
    ],
)
def test_an_empty_node_in_service_above_the_minimum_may_go(nodes: list[Node], due: bool) -> None:
    assert may_lose_an_empty_node(POOL, nodes, STATE, LIMITS, NOW) is due


@pytest.mark.parametrize(
    "changed_at",
    [
        pytest.param(lambda at: replace(STATE, last_in_at=at), id="shrunk"),
        pytest.param(lambda at: replace(STATE, last_out_at=at), id="grown"),
    ],
)
def test_not_before_the_cooldown_after_any_change_is_over(changed_at: Callable[[float], ScalingState]) -> None:
    assert not may_lose_an_empty_node(POOL, [BUSY, EMPTY], changed_at(NOW - 299), LIMITS, NOW)
    assert may_lose_an_empty_node(POOL, [BUSY, EMPTY], changed_at(NOW - 300), LIMITS, NOW)
