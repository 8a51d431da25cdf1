"""The index decides as the plain reference, whatever the cluster, the request, and what has happened before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.model import ContainerName, NodeId, Occupant, Request, Resources, Rules
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.index import Choice, ClusterIndex, texts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.scheduler import decide_wish
from swarmkeeper.domain.placement.wish import Wish, wish_of
from tests.fakes.builders import a_node
from tests.fakes.builders import options as plain_options
from tests.properties import clusters
from tests.properties.clusters import OPTIONS, SEEDS
from tests.reference import scheduler as reference

AVOIDED = st.frozensets(st.sampled_from(["n0", "n1", "n9"]).map(NodeId), max_size=1)


class Twin:
    """A cluster kept twice: by the index, and as plain values that are replaced."""

    def __init__(self, nodes: list[NodeFacts], options: PlacementOptions) -> None:
        self.options = options
        self.index = ClusterIndex(options)
        self.nodes: dict[NodeId, NodeFacts] = {}
        for node in nodes:
            self.put(node)

    def put(self, node: NodeFacts) -> None:
        """A node comes, or everything of it is read again."""
        self.nodes[node.id] = node
        self.index.put(node)

    def remove(self, node: NodeFacts) -> None:
        """A node goes."""
        self.nodes.pop(node.id, None)
        self.index.remove_node(node.id)

    def record(self, node: NodeFacts) -> None:
        """A node's record is read again; what stands on it stays as known."""
        known = self.nodes.get(node.id)
        if known is None:
            return
        self.nodes[node.id] = replace(known, node=node.node, images=node.images)
        self.index.put_node(node.node, node.images, host_name=node.host_name)

    def contents(self, node: NodeFacts) -> None:
        """A node's containers are read again, and its totals with them."""
        known = self.nodes.get(node.id)
        if known is None:
            return
        self.nodes[node.id] = replace(known, node=node.node, occupants=node.occupants)
        self.index.set_occupants(node.id, node.occupants, node.node)

    def hold(self, node_id: NodeId, occupant: Occupant) -> None:
        """A container is placed."""
        self.nodes[node_id] = self.nodes[node_id].holding(occupant)
        self.index.hold(node_id, occupant)

    def drop(self, node: NodeFacts) -> None:
        """The node's first container that can be named goes."""
        known = self.nodes.get(node.id)
        if known is None:
            return
        keys = [each.name or each.id for each in known.occupants]
        for occupant, key in zip(known.occupants, keys, strict=True):
            if key and keys.count(key) == 1:
                self._drop(known, occupant)
                return

    def _drop(self, known: NodeFacts, occupant: Occupant) -> None:
        record = known.node
        left = replace(record, reserved=record.reserved - occupant.reservation, containers=record.containers - 1)
        others = tuple(each for each in known.occupants if each is not occupant)
        self.nodes[known.id] = replace(known, node=left, occupants=others)
        self.index.drop(known.id, occupant.name or occupant.id)

    def decide(self, wish: Wish, seed: int | None) -> Choice:
        """The index's choice, which must be the reference's."""
        ours = self.index.choose(wish, seed=seed)
        theirs = reference.decide(list(self.nodes.values()), wish, self.options, seed)
        assert (ours.node_id, ours.pass_) == (theirs.node_id, theirs.pass_)
        assert theirs.weight is None or ours.weight == theirs.weight
        assert dict(ours.rejections) == theirs.rejections
        assert ours.eligible == len(self.nodes) - sum(theirs.rejections.values())
        return ours


class Sizes:
    """Nodes of a few capacities and requests of many sizes, by a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def node(self, number: int) -> NodeFacts:
        capacity = self._random.choice([Resources(1000, 4096), Resources(2000, 4096), Resources(777, 1001)])
        health = self._random.choice([100, 100, 100, 67, 34, 0])
        return NodeFacts(a_node(f"i-{number:02}", capacity=capacity, health=health))

    def amount(self) -> Resources:
        return Resources(self._random.choice([0, 7, 33, 100, 250]), self._random.choice([0, 11, 64, 512, 1001]))

    def one_of(self, nodes: list[NodeFacts]) -> NodeFacts:
        return self._random.choice(nodes)


STEPS: list[Callable[[Twin, NodeFacts], None]] = [Twin.put, Twin.remove, Twin.record, Twin.contents, Twin.drop]


@given(clusters.clusters(), clusters.requests(), OPTIONS, SEEDS, AVOIDED)
def test_the_index_decides_as_the_reference(
    nodes: list[NodeFacts], request: Request, options: PlacementOptions, seed: int | None, avoid: frozenset[NodeId]
) -> None:
    Twin(nodes, options).decide(wish_of(request, options, avoid), seed)


@given(clusters.clusters(), clusters.requests(), OPTIONS, SEEDS, AVOIDED, st.integers(1, 9))
def test_a_ranking_is_the_order_of_the_plain_meaning(
    nodes: list[NodeFacts],
    request: Request,
    options: PlacementOptions,
    seed: int | None,
    avoid: frozenset[NodeId],
    most: int,
) -> None:
    twin, wish = Twin(nodes, options), wish_of(request, options, avoid)
    plain = decide_wish(wish, list(twin.nodes.values()), options, seed=seed).candidates[:most]
    assert [node_id for node_id, _ in twin.index.ranking(wish, most, seed=seed)] == [each.node.id for each in plain]


@given(clusters.clusters(), OPTIONS, SEEDS, st.data())
def test_the_index_decides_as_the_reference_while_nodes_and_containers_come_and_go(
    nodes: list[NodeFacts], options: PlacementOptions, seed: int | None, data: st.DataObject
) -> None:
    twin = Twin(nodes, options)
    for number in range(data.draw(st.integers(1, 8))):
        step = data.draw(st.sampled_from(STEPS))
        step(twin, data.draw(clusters.nodes(data.draw(st.integers(0, 7)))))
        request = data.draw(clusters.requests(number))
        choice = twin.decide(wish_of(request, options), seed)
        if choice.node_id is not None:
            twin.hold(choice.node_id, occupant_of(request))


@given(clusters.clusters(), OPTIONS, SEEDS, st.data())
def test_patterns_are_looked_for_as_the_reference_tries_them(
    nodes: list[NodeFacts], options: PlacementOptions, seed: int | None, data: st.DataObject
) -> None:
    with patch.object(texts, "MANY", 0):  # as if there were more names than are tried one by one
        twin = Twin(nodes, options)
        if data.draw(st.booleans()):
            twin.index.prepare()
        for number in range(data.draw(st.integers(1, 6))):
            step = data.draw(st.sampled_from(STEPS))
            step(twin, data.draw(clusters.nodes(data.draw(st.integers(0, 7)))))
            rules = Rules(affinities=data.draw(clusters.AFFINITIES))
            for _ in range(data.draw(st.integers(1, 3))):  # patterns are kept current from their second use
                request = Request(ContainerName(f"new-{number}"), "nginx", rules=rules)
                choice = twin.decide(wish_of(request, options), seed)
            if choice.node_id is not None:
                twin.hold(choice.node_id, occupant_of(request))


@given(clusters.clusters(), OPTIONS, SEEDS, st.data())
def test_a_batch_is_placed_as_one_by_one(
    nodes: list[NodeFacts], options: PlacementOptions, seed: int | None, data: st.DataObject
) -> None:
    kinds = [data.draw(clusters.requests(number)) for number in range(data.draw(st.integers(1, 2)))]
    wanted = [
        replace(kind, name=ContainerName(f"{kind.name}-{number}"))
        for kind in kinds
        for number in range(data.draw(st.integers(0, 30)))
    ]
    twin, batched = Twin(nodes, options), Twin(nodes, options)
    expected = []
    for request in wanted:
        choice = twin.decide(wish_of(request, options), seed)
        if choice.node_id is not None:
            twin.hold(choice.node_id, occupant_of(request))
        expected.append(choice)
    placed = batched.index.place_many(wanted, seed=seed)
    assert list(map(told, placed)) == list(map(told, expected))
    batched.nodes = twin.nodes
    batched.decide(wish_of(data.draw(clusters.requests()), options), seed)


@given(clusters.clusters(), clusters.requests(), OPTIONS, SEEDS)
def test_an_explanation_names_the_node_that_is_chosen(
    nodes: list[NodeFacts], request: Request, options: PlacementOptions, seed: int | None
) -> None:
    index, wish = Twin(nodes, options).index, wish_of(request, options)
    choice, decision = index.choose(wish, seed=seed), index.explain(wish, seed=seed)
    assert choice.node_id == (None if decision.chosen is None else decision.chosen.id)
    assert choice.rejections == decision.rejections
    assert choice.blocked_by == decision.blocked_by


@given(st.integers(0, 2**32), st.sampled_from(["spread", "binpack", "busiest", "oldest"]), st.booleans())
def test_a_larger_fleet_of_few_capacities_is_ranked_as_by_the_reference(seed: int, strategy: str, exact: bool) -> None:
    options = plain_options(strategy, exact=exact)
    draw = Sizes(seed)
    twin = Twin([draw.node(number) for number in range(24)], options)
    for number in range(60):
        request = Request(ContainerName(f"new-{number}"), "x", draw.amount())
        choice = twin.decide(wish_of(request, options), None)
        if choice.node_id is not None:
            twin.hold(choice.node_id, occupant_of(request))
        twin.drop(draw.one_of(list(twin.nodes.values())))


def told(choice: Choice) -> tuple[object, ...]:
    """What a choice says."""
    return (choice.node_id, choice.pass_, choice.weight, choice.rejections)


def test_an_index_without_nodes_chooses_none() -> None:
    options = plain_options()
    choice = ClusterIndex(options).choose(Wish(Resources()))
    assert (choice.node_id, choice.pass_, choice.rejections) == (None, 2, ())


def test_a_generic_resource_that_was_all_reserved_can_be_had_again() -> None:
    options = plain_options()
    index, gpus = ClusterIndex(options), Resources(generic=(("gpu", 2),))
    node = a_node()
    index.put_node(replace(node, capacity=node.capacity + gpus))
    asked = Wish(gpus)
    key = index.hold(node.id, Occupant(ContainerName("held"), reservation=gpus))
    assert index.choose(asked).node_id is None
    index.drop(node.id, key)
    assert index.choose(asked).node_id == node.id
