from __future__ import annotations

from collections.abc import Sequence

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, Pool, Request, Role
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.domain.scaling.demand import NO_HEADROOM, Demand, Headroom, promised_nodes
from swarmkeeper.domain.scaling.demand import size as size_exactly
from tests.unit.domain.builders import a_node, a_pool, a_request, facts, options, resources

POOL = a_pool(labels={"disk": "ssd"})
SLOTTED = a_pool(slots=4)


def size(pending: Sequence[Request], nodes: Sequence[Node], pool: Pool, headroom: Headroom = NO_HEADROOM) -> Demand:
    return size_exactly(pending, facts(nodes), pool, headroom, options=options())


def requests(count: int, *, cpus: float = 0.5, memory_mib: int = 0) -> list[Request]:
    return [a_request(f"web-{number:03d}", cpus=cpus, memory_mib=memory_mib) for number in range(count)]


@pytest.mark.parametrize(
    ("pending", "nodes", "extra", "present"),
    [
        pytest.param([], [], 0, 0, id="nothing"),
        pytest.param(requests(4), [], 1, 0, id="four halves on two CPUs"),
        pytest.param(requests(5), [], 2, 0, id="one too many"),
        pytest.param(requests(5), [a_node()], 1, 4, id="a ready node's room is used"),
        pytest.param(requests(5), [a_node(reserved=resources(2, 0))], 2, 0, id="but not twice"),
        pytest.param(requests(5), [a_node(state=NodeState.JOINING, capacity=resources())], 1, 4, id="a joining node"),
        pytest.param(requests(5), [a_node(state=NodeState.LAUNCHING, capacity=resources())], 1, 4, id="or a launch"),
        pytest.param(requests(5), [a_node(state=NodeState.DRAINING)], 2, 0, id="a draining node is no help"),
        pytest.param(requests(1), [a_node(pool="other")], 0, 1, id="another pool's room is used"),
        pytest.param(requests(3, cpus=1.5), [], 3, 0, id="large ones need a node each"),
        pytest.param(
            [*requests(2, cpus=1.5), a_request("a", cpus=0.5), a_request("b", cpus=0.5)], [], 2, 0, id="mixed"
        ),
    ],
)
def test_as_many_nodes_are_wanted_as_hold_what_is_pending(
    pending: Sequence[Request], nodes: Sequence[Node], extra: int, present: int
) -> None:
    demand = size(pending, nodes, a_pool())
    assert (demand.extra_nodes, demand.placed_on_present, demand.unplaceable) == (extra, present, ())


def test_slots_are_sized_too() -> None:
    assert size(requests(9, cpus=0), [], SLOTTED).extra_nodes == 3


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(a_request(cpus=2.5), Reason.RESOURCES, id="too large"),
        pytest.param(a_request(constraints=("disk==hdd",)), Reason.CONSTRAINT, id="wrong label"),
        pytest.param(a_request(constraints=("node==i-0b",)), Reason.CONSTRAINT, id="one certain node"),
    ],
)
def test_what_no_new_node_could_hold_asks_for_nothing_and_says_why(request_: Request, reason: Reason) -> None:
    demand = size([request_], [a_node(reserved=resources(2, 0))], POOL)
    assert demand.extra_nodes == 0
    assert [(name, rejection.reason) for name, rejection in demand.unplaceable] == [(request_.name, reason)]


def test_what_only_a_present_node_can_hold_is_placeable() -> None:
    demand = size([a_request(constraints=("node==i-0a",))], [a_node("i-0a")], POOL)
    assert (demand.extra_nodes, demand.placed_on_present, demand.unplaceable) == (0, 1, ())


@pytest.mark.parametrize("constraint", ["disk==ssd", "disk==~hdd", "node!=i-0a", "node==i-*", "node==/^i-/"])
def test_constraints_that_a_new_node_meets_buy_one(constraint: str) -> None:
    assert size([a_request(constraints=(constraint,))], [], POOL).extra_nodes == 1


def test_a_manager_pool_holds_no_containers() -> None:
    demand = size([a_request()], [], a_pool(role=Role.MANAGER))
    assert demand.extra_nodes == 0
    assert demand.unplaceable[0][1].reason is Reason.ROLE


@pytest.mark.parametrize(
    ("headroom", "nodes", "extra"),
    [
        pytest.param(Headroom(), [], 0, id="none"),
        pytest.param(Headroom(resources(1, 0)), [], 1, id="of an empty pool"),
        pytest.param(Headroom(resources(1, 0)), [a_node(reserved=resources(1, 0))], 0, id="there is room"),
        pytest.param(Headroom(resources(1, 0)), [a_node(reserved=resources(1.5, 0))], 1, id="too little room"),
        pytest.param(Headroom(resources(6, 0)), [], 3, id="larger than a node"),
        pytest.param(Headroom(containers=5), [], 2, id="slots"),
    ],
)
def test_headroom_is_kept_free(headroom: Headroom, nodes: Sequence[Node], extra: int) -> None:
    pool = SLOTTED if headroom.containers else a_pool()
    demand = size([], nodes, pool, headroom)
    assert (demand.extra_nodes, demand.placed_on_present, demand.unplaceable) == (extra, 0, ())


def test_headroom_comes_on_top_of_what_is_pending() -> None:
    assert size(requests(4), [], a_pool(), Headroom(resources(1, 0))).extra_nodes == 2


def test_the_order_of_requests_and_nodes_does_not_matter() -> None:
    pending = [*requests(5, cpus=0.3), *requests(4, cpus=0.9)]
    nodes = [a_node("i-0a", reserved=resources(1, 0)), a_node("i-0b")]
    assert size(pending, nodes, POOL).extra_nodes == size(pending[::-1], nodes[::-1], POOL).extra_nodes


def test_a_thousand_pending_are_sized_exactly() -> None:
    nodes = [a_node(f"i-{number:04d}", reserved=resources(1.5, 0)) for number in range(500)]
    demand = size(requests(1000), nodes, a_pool())
    assert (demand.placed_on_present, demand.extra_nodes) == (500, 125)


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
