"""A warm function's view: how old it may be, what it reads for that, and what it may claim."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, HostPort, Image, Node, NodeId, Resources, Rules
from swarmkeeper.domain.placement.wish import Wish, wish_of
from swarmkeeper.ports import NodeContent
from swarmkeeper.services.view import FleetView, Freshness, version
from tests.fakes import FakeStateStore, FixedClock, a_node, a_request
from tests.fakes.builders import a_limit, options

FRESHNESS = Freshness(max_age_s=2.0, index_lag_s=3.0, clock_skew_s=1.0, relist_s=1e9)
BOUND_S = FRESHNESS.max_age_s + FRESHNESS.index_lag_s
ANYWHERE = Wish(Resources())


@dataclass
class ShiftedClock:
    """A clock that is some seconds ahead of another."""

    true: FixedClock
    ahead_s: float

    def now(self) -> float:
        return self.true.now() + self.ahead_s


class Fleet:
    """A store with a clock, whose every version of every node is remembered with its time."""

    def __init__(self, *nodes: Node, index_lag_s: float = 0.0) -> None:
        self.clock = FixedClock()
        self.store = FakeStateStore(now=self.clock.now, index_lag_s=index_lag_s)
        for node in nodes:
            self.store.add_node(node)
        self.clock.advance(1_000)

    def view(self, *, ahead_s: float = 0.0, freshness: Freshness = FRESHNESS) -> FleetView:
        clock = ShiftedClock(self.clock, ahead_s)
        return FleetView(store=self.store, clock=clock, options=options(), freshness=freshness)

    def place(self, node_id: str, name: str, rules: Rules | None = None) -> Container:
        node = self.store.stored.nodes[NodeId(node_id)]
        request = replace(a_request(name, cpus=0.01, memory_mib=1), rules=rules or Rules())
        return self.store.reserve(request, node, a_limit(node, request), now=self.clock.now())

    def reads(self) -> dict[str, int]:
        """The calls since the last time this was asked."""
        calls = dict(self.store.calls)
        self.store.calls.clear()
        return calls


def seen(view: FleetView, node_id: str) -> Node:
    return next(node for node in view.nodes() if node.id == node_id)


# How old.
@pytest.mark.parametrize("seed", range(30))
def test_no_change_stays_unseen_beyond_the_bound_whatever_the_lag_and_the_clocks(seed: int) -> None:
    chance = Random(seed)
    fleet = Fleet(*(a_node(f"i-{number}") for number in range(4)), index_lag_s=FRESHNESS.index_lag_s)
    views = [fleet.view(ahead_s=skew) for skew in (-0.5, 0.0, 0.5)]
    history: defaultdict[NodeId, list[tuple[float, int]]] = defaultdict(list)
    containers: list[Container] = []
    for step in range(300):
        now = fleet.clock.advance(chance.choice([0.0, 0.1, 0.5, 1.9, 2.0, 4.0]))
        fleet.store.writers_skew_s = chance.uniform(-0.5, 0.5)
        if containers and chance.random() < 0.4:
            fleet.store.release(containers.pop(chance.randrange(len(containers))))
        elif chance.random() < 0.9:
            containers.append(fleet.place(f"i-{chance.randrange(4)}", f"web-{step}"))
        else:
            node = chance.choice(list(fleet.store.stored.nodes.values()))
            fleet.store.save_node(replace(node, health=chance.randrange(100)))
        for node_id, node in fleet.store.stored.nodes.items():
            history[node_id].append((now, version(node)))
        view = chance.choice(views)
        view.refresh(content=False)
        for node in view.nodes():
            due = max((number for at, number in history[node.id] if at <= now - BOUND_S), default=0)
            assert due <= version(node) <= history[node.id][-1][1]


@pytest.mark.parametrize("ahead_s", [-0.5, 0.5], ids=["slow reader", "fast reader"])
@pytest.mark.parametrize("writers_skew_s", [-0.5, 0.5], ids=["slow writer", "fast writer"])
def test_the_bound_holds_to_the_moment(ahead_s: float, writers_skew_s: float) -> None:
    fleet = Fleet(a_node(), index_lag_s=FRESHNESS.index_lag_s)
    view = fleet.view(ahead_s=ahead_s)
    view.refresh(content=False)
    fleet.clock.advance(FRESHNESS.max_age_s)
    fleet.store.writers_skew_s = writers_skew_s
    fleet.place("i-0a", "web-1")
    fleet.clock.advance(FRESHNESS.index_lag_s - 0.01)
    view.refresh(content=False)
    assert seen(view, "i-0a").containers == 0
    fleet.clock.advance(FRESHNESS.max_age_s)
    view.refresh(content=False)
    assert seen(view, "i-0a").containers == 1


def test_what_the_index_shows_too_late_is_healed_by_the_next_listing() -> None:
    fleet = Fleet(a_node(), index_lag_s=100.0)
    view = fleet.view(freshness=replace(FRESHNESS, relist_s=60.0))
    view.refresh(content=False)
    fleet.place("i-0a", "web-1")
    for _ in range(29):
        fleet.clock.advance(2.0)
        view.refresh(content=False)
        assert seen(view, "i-0a").containers == 0
    fleet.clock.advance(2.0)
    view.refresh(content=False)
    assert seen(view, "i-0a").containers == 1


def test_a_node_that_comes_drains_or_goes_is_seen() -> None:
    fleet = Fleet(a_node())
    view = fleet.view()
    view.refresh(content=True)
    fleet.store.add_node(a_node("i-0b"))
    fleet.clock.advance(3)
    view.refresh(content=True)
    assert {node.id for node in view.nodes()} == {"i-0a", "i-0b"}
    drained = fleet.store.save_node(replace(seen(view, "i-0b"), state=NodeState.DRAINING))
    fleet.clock.advance(3)
    view.refresh(content=True)
    assert seen(view, "i-0b").state is NodeState.DRAINING
    fleet.store.bury_node(drained, expires_at=0.0)
    fleet.clock.advance(3)
    view.refresh(content=True)
    assert {node.id for node in view.nodes()} == {"i-0a"}


def test_a_node_too_new_for_the_list_of_ids_is_not_forgotten() -> None:
    fleet = Fleet(a_node(), index_lag_s=3.0)
    view = fleet.view(freshness=replace(FRESHNESS, relist_s=1.0))
    view.refresh(content=False)
    fleet.store.add_node(a_node("i-0b"))
    view.learn(NodeId("i-0b"), a_node("i-0b"))
    fleet.clock.advance(2)
    view.refresh(content=False)
    assert {node.id for node in view.nodes()} == {"i-0a", "i-0b"}


def test_generic_resources_are_followed() -> None:
    fleet = Fleet(a_node(capacity=Resources.of(10, 10, {"gpu": 2})))
    view = fleet.view()
    view.refresh(content=False)
    node = seen(view, "i-0a")
    request = replace(a_request(), reservation=Resources.of(1, 1, {"gpu": 1}))
    fleet.store.reserve(request, node, a_limit(node, request), now=fleet.clock.now())
    fleet.clock.advance(3)
    view.refresh(content=False)
    assert seen(view, "i-0a").reserved == Resources.of(1, 1, {"gpu": 1})


def test_an_entry_of_the_index_that_is_older_than_what_is_known_changes_nothing() -> None:
    fleet = Fleet(a_node(), index_lag_s=3.0)
    view = fleet.view()
    view.refresh(content=False)
    fleet.place("i-0a", "web-1")
    fleet.clock.advance(2.5)
    fleet.place("i-0a", "web-2")
    view.learn(NodeId("i-0a"), fleet.store.stored.nodes[NodeId("i-0a")])
    fleet.clock.advance(1.0)
    view.refresh(content=False)
    assert seen(view, "i-0a").containers == 2


def test_a_late_answer_does_not_undo_a_newer_one() -> None:
    fleet = Fleet(a_node())
    view = fleet.view()
    view.refresh(content=False)
    before = seen(view, "i-0a")
    fleet.place("i-0a", "web-1")
    view.learn(NodeId("i-0a"), fleet.store.stored.nodes[NodeId("i-0a")])
    view.learn(NodeId("i-0a"), before)
    assert seen(view, "i-0a").containers == 1


# What is read.
def test_a_refresh_of_a_thousand_nodes_is_one_listing_and_then_changes_only() -> None:
    fleet = Fleet(*(a_node(f"i-{number:04}") for number in range(1_000)))
    view = fleet.view()
    fleet.reads()
    view.refresh(content=False)
    assert fleet.reads() == {"nodes": 1}
    view.refresh(content=False)
    assert fleet.reads() == {}
    for number in range(20):
        fleet.place(f"i-{number:04}", f"web-{number}")
    fleet.clock.advance(3)
    fleet.reads()
    view.refresh(content=False)
    assert fleet.reads() == {"node_changes": 1}


def test_what_nodes_hold_is_read_once_and_then_only_where_it_has_changed() -> None:
    fleet = Fleet(*(a_node(f"i-{number}") for number in range(5)))
    view = fleet.view()
    view.refresh(content=True)
    asked: list[NodeId] = []
    contents = fleet.store.contents

    def noted(node_ids: Sequence[NodeId]) -> tuple[NodeContent, ...]:
        asked.extend(node_ids)
        return contents(node_ids)

    fleet.store.contents = noted  # type: ignore[method-assign]
    fleet.place("i-3", "web-1")
    fleet.clock.advance(3)
    view.refresh(content=True)
    view.refresh(content=True)
    assert asked == ["i-3"]


def test_containers_and_images_of_others_are_known_after_a_refresh_with_content() -> None:
    fleet = Fleet(a_node("i-0a"), a_node("i-0b"))
    view = fleet.view()
    view.refresh(content=True)
    fleet.place("i-0b", "db")
    fleet.store.record_images(NodeId("i-0a"), [Image("sha256:1", ("web:1",))])
    fleet.clock.advance(3)
    view.refresh(content=True)
    for affinity, node_id in (("container==db", "i-0b"), ("image==web:1", "i-0a")):
        wish = wish_of(replace(a_request(), rules=Rules(affinities=(affinity,))), options())
        candidate = view.candidate(wish, seed=0)
        assert candidate is not None
        assert candidate.node.id == node_id


# What is claimed.
@pytest.mark.parametrize("seed", range(40))
def test_occupants_are_exactly_those_of_the_claimed_revision_while_that_is_the_true_one(seed: int) -> None:
    """Whatever happens between any two reads: a write on the condition of the claimed revision is a sound one."""
    chance = Random(seed)
    fleet = Fleet(a_node("i-0"), a_node("i-1"), index_lag_s=1.0)
    view = fleet.view()
    taken = iter(range(10_000))
    at_once = fleet.store.contents

    def torn(node_ids: Sequence[NodeId]) -> tuple[NodeContent, ...]:
        """A query reads its items one after another."""
        found = at_once(node_ids)
        if chance.random() < 0.3:
            others_place(None)
        return tuple(replace(each, node=fleet.store.stored.nodes[each.node.id]) for each in found)

    fleet.store.contents = torn  # type: ignore[method-assign]

    def others_place(_: object) -> None:
        fleet.store.before = lambda _: None
        if chance.random() < 0.5:
            fleet.place(f"i-{chance.randrange(2)}", f"other-{next(taken)}", Rules(ports=(HostPort(80),)))
        fleet.store.before = others_place

    for _ in range(60):
        fleet.clock.advance(chance.choice([0.0, 0.5, 2.0]))
        fleet.store.before = others_place
        view.refresh(content=chance.random() < 0.7)
        fleet.store.before = lambda _: None
        candidate = view.candidate(ANYWHERE, seed=chance.randrange(9))
        assert candidate is not None
        true = fleet.store.stored.nodes[candidate.node.id]
        assert candidate.revision <= true.revision
        if chance.random() < 0.6:
            request = a_request(f"ours-{next(taken)}", cpus=0.01, memory_mib=1)
            others_place(None)
            fleet.store.before = lambda _: None
            if chance.random() < 0.5:
                view.refresh(content=True, max_age_s=0)  # by another thread, before we know how our write went
            container = fleet.store.reserve(
                request, candidate.node, a_limit(candidate.node, request), now=fleet.clock.now()
            )
            if chance.random() < 0.5:
                view.refresh(content=True, max_age_s=0)
            view.reserved(candidate, request)
            container = fleet.store.confirm(container, engine_id="engine-1", now=fleet.clock.now())
            if chance.random() < 0.5:
                view.confirmed(candidate, container)
        again = view.candidate(ANYWHERE, seed=0)
        assert again is not None
        true = fleet.store.stored.nodes[again.node.id]
        assert again.revision <= true.revision
        if again.revision == true.revision:
            known = {each.name: each for each in view.facts(again.node.id).occupants}
            assert known == fleet.store.stored.held.get(again.node.id, {})
            assert again.node == true


def test_our_own_reservation_is_known_without_a_read() -> None:
    fleet = Fleet(a_node())
    view = fleet.view()
    view.refresh(content=True)
    candidate = view.candidate(ANYWHERE, seed=0)
    assert candidate is not None
    container = fleet.place("i-0a", "web-1")
    view.reserved(candidate, container.request)
    view.confirmed(candidate, fleet.store.confirm(container, engine_id="engine-1", now=0.0))
    fleet.reads()
    assert seen(view, "i-0a") == fleet.store.stored.nodes[NodeId("i-0a")]
    assert view.candidate(ANYWHERE, seed=0) == replace(candidate, node=seen(view, "i-0a"), revision=2)
    assert view.facts(NodeId("i-0a")).occupants[0].id == "engine-1"
    assert fleet.reads() == {}


# Near-equals.
def test_candidates_come_in_rank_order_and_end_at_the_last_near_equal() -> None:
    fleet = Fleet(*(a_node(f"i-{number}") for number in range(3)), a_node("i-3", health=34))
    for _ in range(2):
        fleet.place("i-1", f"a-{_}")
    fleet.place("i-2", "b")
    view = fleet.view()
    view.refresh(content=False)
    found = [view.candidate(ANYWHERE, seed=0, nth=nth) for nth in range(6)]
    assert [each.node.id for each in found if each] == ["i-0", "i-2", "i-1", "i-1", "i-1", "i-1"]


def test_no_candidate_is_offered_that_only_the_second_pass_allows() -> None:
    fleet = Fleet(a_node("i-0", labels={"zone": "a"}), a_node("i-1", labels={"zone": "b"}))
    view = fleet.view()
    view.refresh(content=False)
    soft = wish_of(replace(a_request(), rules=Rules(constraints=("zone==~b",))), options())
    candidate = view.candidate(soft, seed=0, nth=1)
    assert candidate is not None
    assert candidate.node.id == "i-1"
