from __future__ import annotations

from collections.abc import Sequence

import pytest

from swarmkeeper.domain.model import Node
from swarmkeeper.domain.scaling.policy import reserved_share, usage
from tests.unit.domain.builders import a_node, a_pool, resources

SLOTTED = a_pool(capacity=resources(100, 100_000), slots=4)


@pytest.mark.parametrize(
    ("nodes", "share"),
    [
        pytest.param([], 0.0, id="no nodes"),
        pytest.param([a_node()], 0.0, id="empty"),
        pytest.param([a_node(reserved=resources(1, 512))], 0.5, id="CPU is scarcer"),
        pytest.param([a_node(reserved=resources(0.5, 1536))], 0.75, id="memory is scarcer"),
        pytest.param([a_node(reserved=resources(1, 0)), a_node("i-0b")], 0.25, id="over all nodes"),
        pytest.param([a_node(containers=3, slots=4), a_node("i-0b", slots=4)], 0.375, id="slots are scarcer"),
        pytest.param([a_node(containers=3, slots=4), a_node("i-0b")], 0.0, id="a node without limit lifts the limit"),
        pytest.param([a_node(capacity=resources(0, 0), reserved=resources(1, 0))], 1.0, id="no capacity"),
    ],
)
def test_the_reserved_share_is_that_of_the_scarcest_dimension(nodes: Sequence[Node], share: float) -> None:
    assert reserved_share(nodes) == share


@pytest.mark.parametrize(
    ("containers", "nodes", "expected"),
    [
        pytest.param(3, 1, 0, id="below already"),
        pytest.param(4, 1, 1, id="full"),
        pytest.param(8, 2, 1, id="8 of 12 is enough"),
        pytest.param(16, 4, 2, id="exactly at the share is not below it"),
        pytest.param(0, 1, 0, id="nothing reserved"),
    ],
)
def test_as_many_nodes_bring_a_pool_below_a_share_as_it_takes(containers: int, nodes: int, expected: int) -> None:
    held = [a_node(capacity=SLOTTED.node_capacity, slots=4, containers=containers)]
    held += [a_node(f"i-{n}", capacity=SLOTTED.node_capacity, slots=4) for n in range(nodes - 1)]
    assert usage(held).nodes_to_get_below(0.8, SLOTTED) == expected
