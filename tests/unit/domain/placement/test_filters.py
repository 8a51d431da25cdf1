from __future__ import annotations

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, NodeId, Role
from swarmkeeper.domain.placement.expressions import InvalidExpression
from swarmkeeper.domain.placement.filters import FILTERS, first_rejection, wish_of
from swarmkeeper.domain.placement.reasons import Reason
from tests.unit.domain.builders import a_node, a_request, resources


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param(a_node(), None, id="room"),
        pytest.param(a_node(role=Role.MANAGER), Reason.ROLE, id="manager"),
        pytest.param(a_node(state=NodeState.JOINING), Reason.STATE, id="joining"),
        pytest.param(a_node(state=NodeState.DRAINING), Reason.STATE, id="draining"),
        pytest.param(a_node(state=NodeState.GONE), Reason.STATE, id="gone"),
        pytest.param(a_node(health=1), None, id="barely healthy"),
        pytest.param(a_node(health=0), Reason.HEALTH, id="unhealthy"),
        pytest.param(a_node(containers=3, slots=4), None, id="last slot"),
        pytest.param(a_node(containers=4, slots=4), Reason.CONTAINERSLOTS, id="no slot"),
        pytest.param(a_node(slots=-2), Reason.CONTAINERSLOTS, id="negative slots"),
        pytest.param(a_node(reserved=resources(1.5, 1792)), None, id="exact fit"),
        pytest.param(a_node(reserved=resources(1.5, 1793)), Reason.RESOURCES, id="memory short"),
        pytest.param(a_node(reserved=resources(1.500000001, 0)), Reason.RESOURCES, id="one nano-CPU short"),
    ],
)
def test_a_node_is_rejected_for_the_first_thing_it_lacks(node: Node, reason: Reason | None) -> None:
    rejection = first_rejection(node, wish_of(a_request(cpus=0.5, memory_mib=256)))
    assert (rejection.reason if rejection else None) == reason


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [
        *(("node==i-0a", True), ("node==i-0b", False), ("node==i-*", True), ("node!=i-0b", True)),
        *(("disk==ssd", True), ("disk!=ssd", False), ("disk==~hdd", False)),
        *(("missing==x", False), ("missing!=x", True), ("missing==/^$/", True)),
    ],
)
def test_a_constraint_compares_the_node_or_a_label_that_may_be_missing(constraint: str, fits: bool) -> None:
    rejection = first_rejection(a_node(labels={"disk": "ssd"}), wish_of(a_request(constraints=(constraint,))))
    assert (rejection is None) is fits
    assert rejection is None or rejection.reason is Reason.CONSTRAINT


def test_the_last_filters_refusal_says_how_much_is_missing() -> None:
    rejection = first_rejection(a_node(reserved=resources(2, 0)), wish_of(a_request(cpus=0.5, memory_mib=256)))
    assert str(rejection) == "resources: wants 0.5 CPUs and 256 MiB, has 0 CPUs and 2048 MiB free"


def test_an_avoided_node_is_rejected() -> None:
    rejection = first_rejection(a_node("i-0a"), wish_of(a_request(), frozenset({NodeId("i-0a")})))
    assert rejection is not None
    assert rejection.reason is Reason.AVOIDED


def test_filters_are_asked_in_the_order_of_their_reasons() -> None:
    spoilt = a_node(
        role=Role.MANAGER, state=NodeState.GONE, health=0, slots=0, labels={"disk": "hdd"}, capacity=resources(0, 0)
    )
    wish = wish_of(a_request(constraints=("disk==ssd",)), frozenset({spoilt.id}))
    rejections = [each(spoilt, wish) for each in FILTERS]
    assert [rejection.reason for rejection in rejections if rejection] == list(Reason)


def test_a_bad_soft_expression_is_an_error_too() -> None:
    with pytest.raises(InvalidExpression):
        wish_of(a_request(constraints=("disk==ssd", "x==~y")))
