from __future__ import annotations

import pytest

from swarmkeeper.domain.model import Node, Resources
from swarmkeeper.domain.placement.strategies import (
    BINPACK,
    BUSIEST,
    OLDEST,
    RANDOM,
    SPREAD,
    UnknownStrategy,
    score,
    strategy_named,
)
from tests.unit.domain.builders import a_node, resources


@pytest.mark.parametrize(
    ("used", "requested", "total", "expected"),
    [
        pytest.param(0, 1, 4, 25, id="a quarter"),
        pytest.param(1, 1, 3, 66, id="truncated"),
        pytest.param(3, 1, 4, 100, id="full"),
        pytest.param(4, 1, 4, None, id="too full"),
        pytest.param(1000, 9, 1000, 100, id="less than one percent too much is not seen"),
        pytest.param(0, 5, 4, None, id="more than there is"),
        pytest.param(4, 0, 4, 100, id="nothing requested"),
        pytest.param(0, 0, 0, 100, id="nothing requested of nothing"),
        pytest.param(0, 1, 0, None, id="something requested of nothing"),
    ],
)
def test_a_score_is_a_truncated_percentage(used: int, requested: int, total: int, expected: int | None) -> None:
    assert score(used, requested, total) == expected


@pytest.mark.parametrize(
    ("node", "reservation", "spread", "binpack"),
    [
        pytest.param(a_node(), resources(1, 512), 50 + 25 - 1000, 50 + 25 + 1000, id="healthy"),
        pytest.param(a_node(health=34), resources(1, 512), 75 - 340, 75 + 340, id="failing"),
        pytest.param(a_node(), resources(0, 0), 200 - 1000, 200 + 1000, id="nothing requested"),
        pytest.param(a_node(), resources(3, 0), None, None, id="too large"),
    ],
)
def test_a_weight_adds_both_scores_and_health(
    node: Node, reservation: Resources, spread: int | None, binpack: int | None
) -> None:
    assert (SPREAD.weight(node, reservation), BINPACK.weight(node, reservation)) == (spread, binpack)


def test_strategies_are_known_by_name() -> None:
    assert strategy_named("spread") is SPREAD
    assert strategy_named("binpack") is BINPACK
    assert strategy_named("random") is RANDOM
    assert strategy_named("busiest") is BUSIEST
    assert strategy_named("oldest") is OLDEST
    with pytest.raises(UnknownStrategy, match="spread, binpack, random"):
        strategy_named("balanced")


def test_random_weighs_nothing() -> None:
    full = a_node(reserved=resources(2, 2048))
    assert RANDOM.weight(full, resources(1, 1)) == RANDOM.weight(a_node(), resources(0, 0)) == 0


def test_busiest_prefers_the_most_containers_however_large_they_are() -> None:
    request = resources(0.5, 256)
    few_large = a_node("i-0a", reserved=resources(1.5, 1792), containers=1)
    many_small = a_node("i-0b", reserved=resources(0.2, 100), containers=3)
    weights = [BUSIEST.weight(node, request) for node in (few_large, many_small)]
    assert weights == [0, 0]
    assert BUSIEST.rank(many_small, 0) < BUSIEST.rank(few_large, 0)
    assert BUSIEST.weight(a_node(reserved=resources(2, 2048)), request) is None


def test_oldest_prefers_the_first_that_was_bought_then_the_lowest_name() -> None:
    request = resources(0.5, 256)
    old, new = a_node("i-0b", created_at=10.25), a_node("i-0a", created_at=10.5, containers=3)
    assert OLDEST.weight(old, request) == OLDEST.weight(new, request) == 0
    assert OLDEST.rank(old, 0) < OLDEST.rank(new, 0) < OLDEST.rank(a_node("i-0c", created_at=10.5), 0)
    assert OLDEST.weight(a_node(reserved=resources(2, 2048)), request) is None
