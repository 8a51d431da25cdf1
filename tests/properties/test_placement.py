from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import ContainerName, NodeId, Request, Resources
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.scheduler import decide, decide_wish
from swarmkeeper.domain.placement.wish import wish_of
from swarmkeeper.domain.scaling.packing import in_packing_order
from swarmkeeper.domain.scaling.room import Room
from tests.fakes.builders import facts, options
from tests.properties import clusters
from tests.properties.clusters import OPTIONS, SEEDS
from tests.properties.strategies import PLACING, fleets, pools, requests
from tests.reference import scheduler as reference


@st.composite
def nodes_and_requests(draw: st.DrawFn) -> tuple[list[NodeFacts], list[Request]]:
    nodes, _ = draw(fleets(draw(pools())))
    return facts(nodes), draw(requests())


@st.composite
def batches(draw: st.DrawFn) -> list[Request]:
    """Requests of which several are alike."""
    kinds = [draw(clusters.requests(number)) for number in range(draw(st.integers(1, 3)))]
    chosen = draw(st.lists(st.sampled_from(kinds), max_size=8))
    return [replace(each, name=ContainerName(f"{each.name}-{number}")) for number, each in enumerate(chosen)]


def apply_in_turn(
    wanted: list[Request], nodes: list[NodeFacts], placing: PlacementOptions, seed: int | None
) -> dict[str, str]:
    """Place one request after the other; `nodes` is changed."""
    placed: dict[str, str] = {}
    for request in wanted:
        candidates = decide(request, nodes, placing, seed=seed).candidates
        if candidates:
            chosen = candidates[0].facts
            nodes[nodes.index(chosen)] = chosen.holding(occupant_of(request))
            placed[request.name] = chosen.id
    return placed


@given(clusters.clusters(), clusters.requests(), OPTIONS, SEEDS, st.frozensets(st.sampled_from(["n0", "n1"])))
def test_the_scheduler_decides_as_the_plain_reference(
    nodes: list[NodeFacts], request: Request, placing: PlacementOptions, seed: int | None, avoid: frozenset[str]
) -> None:
    wish = wish_of(request, placing, frozenset(map(NodeId, avoid)))
    ours = decide_wish(wish, nodes, placing, seed=seed)
    theirs = reference.decide(nodes, wish, placing, seed)
    best = ours.candidates[0] if ours.candidates else None
    assert (best.node.id if best else None, ours.pass_) == (theirs.node_id, theirs.pass_)
    assert (best.weight if best else None) == theirs.weight
    assert dict(ours.rejections) == theirs.rejections


@given(nodes_and_requests(), PLACING, st.one_of(st.none(), st.integers(0, 5)))
def test_reservations_never_exceed_capacity_or_slots(
    fleet: tuple[list[NodeFacts], list[Request]], strategy: str, seed: int | None
) -> None:
    nodes, wanted = fleet
    before = {node.id: node for node in nodes}
    apply_in_turn(wanted, nodes, options(strategy), seed)
    for node in nodes:
        assert node.reserved.fits_in(node.capacity)
        assert node.slots is None or node.containers <= node.slots
        assert node == before[node.id] or node.state is NodeState.READY


@given(clusters.clusters(), batches(), OPTIONS)
def test_what_is_tried_in_a_room_goes_exactly_where_deciding_one_by_one_puts_it(
    nodes: list[NodeFacts], wanted: list[Request], placing: PlacementOptions
) -> None:
    ordered = in_packing_order(wanted, Resources(10, 10))
    room = Room(nodes, placing)
    taken, _ = room.place(ordered)
    assert taken == apply_in_turn(ordered, nodes, placing, None)
    assert [room.nodes[each.id] for each in nodes] == [each.node for each in nodes]


@given(clusters.clusters(), clusters.requests(), OPTIONS, SEEDS)
def test_every_node_is_a_candidate_or_refused_with_a_reason(
    nodes: list[NodeFacts], request: Request, placing: PlacementOptions, seed: int | None
) -> None:
    decision = decide(request, nodes, placing, seed=seed)
    told = [scored.node.id for scored in decision.candidates] + [node for node, _ in decision.refused]
    assert sorted(told) == sorted(node.id for node in nodes)
    assert sum(count for _, count in decision.rejections) == len(decision.refused)
    assert all(rejection.detail for _, rejection in decision.refused)
    turned = decide(request, nodes[::-1], placing, seed=seed)
    assert (decision.candidates, decision.rejections) == (turned.candidates, turned.rejections)
