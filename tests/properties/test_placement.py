from __future__ import annotations

import re
import warnings

from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, Request, Resources
from swarmkeeper.domain.placement.patterns import UnsupportedPattern, compile_linear
from swarmkeeper.domain.placement.scheduler import decide
from swarmkeeper.domain.scaling.packing import in_packing_order, pack
from tests.properties.strategies import PLACING, fleets, pools, requests


@st.composite
def nodes_and_requests(draw: st.DrawFn) -> tuple[list[Node], list[Request]]:
    nodes, _ = draw(fleets(draw(pools())))
    return nodes, draw(requests())


def apply_in_turn(wanted: list[Request], nodes: list[Node], strategy: str, seed: int | None) -> dict[str, str]:
    """Place one request after the other; `nodes` is changed."""
    placed: dict[str, str] = {}
    for request in wanted:
        chosen = decide(request, nodes, strategy=strategy, seed=seed).chosen
        if chosen is not None:
            nodes[nodes.index(chosen)] = chosen.holding(request.reservation)
            placed[request.name] = chosen.id
    return placed


@given(nodes_and_requests(), PLACING, st.one_of(st.none(), st.integers(0, 5)))
def test_reservations_never_exceed_capacity_or_slots(
    fleet: tuple[list[Node], list[Request]], strategy: str, seed: int | None
) -> None:
    nodes, wanted = fleet
    before = {node.id: node for node in nodes}
    apply_in_turn(wanted, nodes, strategy, seed)
    for node in nodes:
        assert node.reserved.fits_in(node.capacity)
        assert node.slots is None or node.containers <= node.slots
        assert node == before[node.id] or node.state is NodeState.READY


@given(nodes_and_requests(), PLACING)
def test_packing_places_exactly_as_deciding_one_by_one(fleet: tuple[list[Node], list[Request]], strategy: str) -> None:
    nodes, wanted = fleet
    ordered = in_packing_order(wanted, Resources(10, 10))
    packing = pack(ordered, nodes, strategy=strategy)
    assert dict(packing.placed) == apply_in_turn(ordered, nodes, strategy, None)
    assert sorted(packing.nodes, key=lambda node: node.id) == sorted(nodes, key=lambda node: node.id)


@given(nodes_and_requests(), PLACING, st.integers(0, 5))
def test_every_node_is_a_candidate_or_refused_with_a_reason(
    fleet: tuple[list[Node], list[Request]], strategy: str, seed: int
) -> None:
    nodes, wanted = fleet
    for request in wanted:
        decision = decide(request, nodes, strategy=strategy, seed=seed)
        told = [scored.node.id for scored in decision.candidates] + [node for node, _ in decision.refused]
        assert sorted(told) == sorted(node.id for node in nodes)
        assert sum(count for _, count in decision.rejections) == len(decision.refused)
        turned = decide(request, nodes[::-1], strategy=strategy, seed=seed)
        assert (decision.candidates, decision.rejections) == (turned.candidates, turned.rejections)


@given(st.text("ab.*?+|^$[]-\\d", max_size=12), st.text("ab1-", max_size=8))
def test_the_linear_matcher_agrees_with_pythons_where_both_understand(pattern: str, text: str) -> None:
    try:
        ours = compile_linear(pattern)(text)
    except UnsupportedPattern:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of what may mean sets one day
        try:
            theirs = re.compile(re.sub(r"(?<!\\)((?:\\\\)*)\$", r"\1\\Z", pattern), re.ASCII)
        except re.error:
            return
    if "[" in pattern:
        return  # the $ of a class was replaced too
    assert ours == bool(theirs.search(text))
