"""What a pool could hold, what is on its way, and how many nodes sizes ask for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, Request, Resources, Role
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.domain.scaling.demand import Headroom, new_node, promised_nodes, refusal
from swarmkeeper.domain.scaling.estimates import nodes_to_hold
from swarmkeeper.domain.scaling.packing import in_packing_order
from tests.unit.domain.builders import a_node, a_pool, a_request, options, resources

POOL = a_pool(labels={"disk": "ssd"})
SLOTTED = a_pool(slots=4)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(a_request(cpus=2.5), Reason.RESOURCES, id="too large"),
        pytest.param(a_request(constraints=("disk==hdd",)), Reason.CONSTRAINT, id="wrong label"),
        pytest.param(a_request(constraints=("node==i-0b",)), Reason.CONSTRAINT, id="one certain node"),
    ],
)
def test_what_no_new_node_could_hold_says_why(request_: Request, reason: Reason) -> None:
    rejection = refusal(request_, POOL, options())
    assert rejection is not None
    assert rejection.reason is reason


@pytest.mark.parametrize("constraint", ["disk==ssd", "disk==~hdd", "node!=i-0a", "node==i-*", "node==/^i-/"])
def test_constraints_that_a_new_node_meets_are_no_obstacle(constraint: str) -> None:
    assert refusal(a_request(constraints=(constraint,)), POOL, options()) is None


def test_a_manager_pool_holds_no_containers() -> None:
    rejection = refusal(a_request(), a_pool(role=Role.MANAGER), options())
    assert rejection is not None
    assert rejection.reason is Reason.ROLE


@pytest.mark.parametrize(
    ("headroom", "nodes"),
    [
        pytest.param(Headroom(), 0, id="none"),
        pytest.param(Headroom(resources(1, 0)), 1, id="less than a node"),
        pytest.param(Headroom(resources(6, 0)), 3, id="larger than a node"),
        pytest.param(Headroom(containers=5), 2, id="slots"),
        pytest.param(Headroom(resources(3, 0), 2), 2, id="two large ones"),
    ],
)
def test_headroom_is_cut_into_pieces_that_fit_on_nodes(headroom: Headroom, nodes: int) -> None:
    pool = SLOTTED if headroom.containers == 5 else a_pool()
    spare = headroom.spare(pool)
    of_one = spare.on(new_node(pool, 0))
    assert (-(-spare.count // of_one) if of_one else 0) == nodes


def test_an_unhealthy_node_has_no_spare_room() -> None:
    spare = Headroom(resources(1, 0)).spare(a_pool())
    assert (spare.on(a_node()), spare.on(a_node(health=0))) == (1, 0)


@pytest.mark.parametrize(
    ("cpus", "slots", "nodes"),
    [
        pytest.param([], None, 0, id="nothing"),
        pytest.param([0.5] * 4, None, 1, id="four halves on two CPUs"),
        pytest.param([0.5] * 5, None, 2, id="one too many"),
        pytest.param([1.5] * 3, None, 3, id="large ones need a node each"),
        pytest.param([1.5, 1.5, 0.5, 0.5], None, 2, id="mixed"),
        pytest.param([0.0] * 9, 4, 3, id="slots"),
        pytest.param([0.0] * 9, None, 1, id="of no size"),
        pytest.param([0.5] * 1000, None, 250, id="a thousand"),
        pytest.param([3.0, 3.0], None, 2, id="too large for a node, as one each"),
    ],
)
def test_nodes_are_estimated_by_size(cpus: Sequence[float], slots: int | None, nodes: int) -> None:
    pending = [a_request(f"web-{number}", cpus=each, memory_mib=0) for number, each in enumerate(cpus)]
    pool = a_pool(slots=slots)
    assert nodes_to_hold(in_packing_order(pending, pool.node_capacity), pool) == nodes


def test_generic_resources_are_estimated_too() -> None:
    pool = a_pool(capacity=Resources.of(10**9, 0, {"gpu": 2}))
    wanted = [Request(name=each.name, image="", reservation=Resources.of(1, 0, {"gpu": 1})) for each in _some(5)]
    assert nodes_to_hold(wanted, pool) == 3


def _some(count: int) -> list[Request]:
    return [a_request(f"web-{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("desired", "nodes", "promised"),
    [
        pytest.param(3, [a_node()], 2, id="not seen yet"),
        pytest.param(2, [a_node(), a_node("i-0b", state=NodeState.LAUNCHING)], 0, id="all seen"),
        pytest.param(1, [a_node(), a_node("i-0b")], 0, id="more than desired"),
        pytest.param(2, [a_node(), a_node("i-0b", pool="other")], 1, id="other pools do not count"),
        pytest.param(2, [a_node(), a_node("i-0b", state=NodeState.LEAVING)], 1, id="what leaves is replaced"),
    ],
)
def test_instances_that_the_group_owes_are_promised(desired: int, nodes: Sequence[Node], promised: int) -> None:
    owed = promised_nodes(POOL, desired, nodes)
    assert len(owed) == promised
    assert all(node.state is NodeState.LAUNCHING and node.capacity == POOL.node_capacity for node in owed)
