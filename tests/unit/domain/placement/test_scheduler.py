from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Image, Node, NodeId, Request
from swarmkeeper.domain.placement.expressions import InvalidExpression
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.reasons import Reason
from swarmkeeper.domain.placement.scheduler import Decision
from swarmkeeper.domain.placement.scheduler import decide as decide_exactly
from tests.unit.domain.builders import a_node, a_request, facts, options, resources

EMPTY = a_node("i-0b")
HALF = a_node("i-0a", reserved=resources(1, 1024), containers=2)
FULL = a_node("i-0c", reserved=resources(2, 2048), containers=4)


def decide(
    request: Request,
    nodes: Sequence[Node],
    strategy: str = "spread",
    seed: int | None = None,
    avoid: frozenset[NodeId] = frozenset(),
) -> Decision:
    return decide_exactly(request, facts(nodes), options(strategy), seed=seed, avoid=avoid)


def names(decision: Decision) -> list[str]:
    return [scored.node.name for scored in decision.candidates]


@pytest.mark.parametrize(("strategy", "order"), [("spread", ["i-0b", "i-0a"]), ("binpack", ["i-0a", "i-0b"])])
def test_a_strategy_ranks_the_nodes_that_have_room(strategy: str, order: list[str]) -> None:
    assert names(decide(a_request(), [FULL, HALF, EMPTY], strategy=strategy)) == order


@pytest.mark.parametrize(("strategy", "order"), [("spread", ["i-0b", "i-0a"]), ("binpack", ["i-0a", "i-0b"])])
def test_the_number_of_containers_decides_between_equal_weights(strategy: str, order: list[str]) -> None:
    nodes = [a_node("i-0a", containers=2), a_node("i-0b", containers=1)]
    assert names(decide(a_request(), nodes, strategy=strategy)) == order


@pytest.mark.parametrize("strategy", ["spread", "binpack"])
def test_the_lowest_name_wins_a_tie(strategy: str) -> None:
    nodes = [a_node("i-0c"), a_node("i-0a"), a_node("i-0b")]
    assert names(decide(a_request(), nodes, strategy=strategy)) == ["i-0a", "i-0b", "i-0c"]


def test_a_seed_decides_ties_the_same_way_in_any_order_of_nodes() -> None:
    nodes = [a_node(f"i-{number:02d}") for number in range(8)]
    first = decide(a_request(), nodes, strategy="spread", seed=7)
    assert names(first) == names(decide(a_request(), nodes[::-1], strategy="spread", seed=7))
    chosen = {names(decide(a_request(), nodes, strategy="spread", seed=seed))[0] for seed in range(40)}
    assert len(chosen) > 1


def test_a_seed_never_overrules_the_strategy() -> None:
    for seed in range(20):
        assert decide(a_request(), [HALF, EMPTY], strategy="spread", seed=seed).chosen == EMPTY


def test_truncated_scores_do_not_let_a_node_be_overfilled() -> None:
    node = a_node(capacity=resources(2, 100_000), reserved=resources(0, 99_900))
    assert decide(a_request(cpus=0, memory_mib=101), [node], strategy="spread").chosen is None


@pytest.mark.parametrize(
    ("constraints", "chosen", "pass_"),
    [
        pytest.param(("disk==~ssd",), "i-ssd", 1, id="soft that holds counts"),
        pytest.param(("disk==~tape",), "i-hdd", 2, id="soft that holds nowhere is dropped"),
        pytest.param(("disk==~ssd", "zone==~z"), "i-hdd", 2, id="all soft ones are dropped at once"),
        pytest.param(("disk==ssd", "zone==~z"), "i-ssd", 2, id="hard ones stay"),
        pytest.param(("disk==tape", "zone==~z"), None, 2, id="hard one that holds nowhere"),
    ],
)
def test_soft_expressions_count_as_long_as_a_node_meets_them(
    constraints: tuple[str, ...], chosen: str | None, pass_: int
) -> None:
    nodes = [a_node("i-ssd", labels={"disk": "ssd"}, containers=1), a_node("i-hdd", labels={"disk": "hdd"})]
    decision = decide(a_request(constraints=constraints), nodes, strategy="spread")
    assert (decision.chosen.id if decision.chosen else None, decision.pass_) == (chosen, pass_)


def test_lack_of_room_drops_soft_expressions_too() -> None:
    nodes = [a_node("i-ssd", labels={"disk": "ssd"}, reserved=resources(2, 0)), a_node("i-hdd")]
    decision = decide(a_request(constraints=("disk==~ssd",)), nodes, strategy="spread")
    assert decision.chosen == nodes[1]


def refusing() -> list[Node]:
    full = [a_node(f"i-0{number}", reserved=resources(2, 0), labels={"disk": "ssd"}) for number in range(3)]
    return [*full, a_node("i-10"), a_node("i-11")]


def test_a_decision_without_a_node_counts_why() -> None:
    decision = decide(a_request(constraints=("disk==ssd",)), refusing(), strategy="spread")
    assert decision.chosen is None
    assert decision.rejections == ((Reason.RESOURCES, 3), (Reason.CONSTRAINT, 2))
    assert decision.explain() == "3 of 5 nodes: CPU; 2: constraint disk==ssd"
    assert decision.blocked_by is Reason.RESOURCES
    assert {node for node, rejection in decision.refused if rejection.reason is Reason.CONSTRAINT} == {"i-10", "i-11"}


def test_a_decision_with_a_node_explains_the_choice_and_the_others() -> None:
    decision = decide(a_request(constraints=("disk!=ssd",)), refusing(), strategy="spread")
    assert decision.explain() == "i-10 (weight -963, spread, best of 2); 3 of 5 nodes: constraint disk!=ssd"
    assert decision.blocked_by is None


def test_dropped_soft_expressions_are_told() -> None:
    decision = decide(a_request(constraints=("disk==~tape",)), [EMPTY], strategy="spread")
    assert "soft expressions dropped" in decision.explain()


def test_an_empty_fleet_is_a_result() -> None:
    assert decide(a_request(), [], strategy="spread").explain() == "the fleet has no nodes"


def test_avoided_nodes_are_left_out() -> None:
    decision = decide(a_request(), [EMPTY, HALF], strategy="spread", avoid=frozenset({NodeId("i-0b")}))
    assert decision.chosen == HALF


def test_a_bad_expression_is_an_error_even_where_no_node_would_be_asked() -> None:
    with pytest.raises(InvalidExpression):
        decide(a_request(constraints=("x==~y",)), [a_node(state=NodeState.GONE)], strategy="spread")


# What this project adds to classic Swarm's ranking.


def zoned(name: str, zone: str | None, containers: int, **changes: Any) -> Node:
    return a_node(name, labels={} if zone is None else {"zone": zone}, containers=containers, **changes)


def ranked(nodes: Sequence[Node], placing: PlacementOptions, **request: Any) -> list[str]:
    return names(decide_exactly(a_request(**request), facts(nodes), placing))


def test_the_value_with_the_fewest_containers_comes_first_whatever_the_weights() -> None:
    nodes = [zoned("a1", "a", 0), zoned("a2", "a", 5), zoned("b1", "b", 3, reserved=resources(1, 0))]
    assert ranked(nodes, options()) == ["a1", "a2", "b1"]
    assert ranked(nodes, options(balance_over="zone")) == ["b1", "a1", "a2"]


def test_nodes_that_can_not_take_the_request_count_for_their_zone() -> None:
    full = zoned("a1", "a", 9, reserved=resources(2, 0))
    nodes = [full, zoned("a2", "a", 0), zoned("b1", "b", 5)]
    assert ranked(nodes, options(balance_over="zone")) == ["b1", "a2"]


def test_nodes_without_the_label_are_a_group_of_their_own() -> None:
    nodes = [zoned("a1", "a", 2), zoned("x1", None, 1), zoned("x2", None, 2)]
    assert ranked(nodes, options(balance_over="zone")) == ["a1", "x1", "x2"]


def test_a_node_that_holds_the_image_comes_first_among_equals_only() -> None:
    held = (Image("sha256:aa", ("nginx:latest",)),)
    nodes = [NodeFacts(a_node("i-0a")), NodeFacts(a_node("i-0b"), images=held), NodeFacts(a_node("i-0c", containers=1))]
    for reference in ("nginx", "nginx:latest", "docker.io/library/nginx", "sha256:aa"):
        request = a_request(image=reference)
        assert names(decide_exactly(request, nodes, options(prefer_local_images=True))) == ["i-0b", "i-0a", "i-0c"]
    assert names(decide_exactly(a_request(image="nginx"), nodes, options())) == ["i-0a", "i-0b", "i-0c"]
    fuller = [NodeFacts(a_node("i-0a", containers=1), images=held), NodeFacts(a_node("i-0b"))]
    assert names(decide_exactly(a_request(image="nginx"), fuller, options(prefer_local_images=True))) == [
        "i-0b",
        "i-0a",
    ]
    assert names(decide_exactly(a_request(image="nginx:1"), nodes, options(prefer_local_images=True)))[0] == "i-0a"


def test_random_takes_any_node_with_room_as_its_seed_says() -> None:
    nodes = [FULL, *(a_node(f"i-{number:02d}") for number in range(8))]
    chosen = {names(decide(a_request(), nodes, "random", seed=seed))[0] for seed in range(60)}
    assert chosen == {f"i-{number:02d}" for number in range(8)}
    assert names(decide(a_request(), nodes, "random", seed=3)) == names(decide(a_request(), nodes, "random", seed=3))


def test_without_exactness_truncated_scores_decide_as_in_classic_swarm() -> None:
    node = a_node(capacity=resources(2, 100_000), reserved=resources(0, 99_900))
    classic = options(exact=False)
    assert ranked([node], classic, cpus=0, memory_mib=1099) == ["i-0a"]
    assert ranked([node], classic, cpus=0, memory_mib=1100) == []
    assert ranked([FULL], options("random", exact=False)) == ["i-0c"]
