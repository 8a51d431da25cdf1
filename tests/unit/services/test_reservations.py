"""Reserving without a lock: what a decision reads and writes, and what a lost race teaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, ContainerState, HostPort, Node, NodeId, Quota, Request, Rules
from swarmkeeper.errors import Conflict, Contention, NameTaken, QuotaExceeded
from swarmkeeper.services.reservations import RESERVATION_TRIES, Breadth, Placed, Reserver
from swarmkeeper.services.view import FleetView, Freshness
from tests.fakes import FakeStateStore, FixedClock, a_node, a_request
from tests.fakes.builders import a_limit, options

LAG_S = 3.0


class Fleet:
    """A store and reservers of functions that were just started."""

    def __init__(self, nodes: Sequence[Node], *, index_lag_s: float = 0.0) -> None:
        self.clock = FixedClock()
        self.store = FakeStateStore(now=self.clock.now, index_lag_s=index_lag_s)
        for node in nodes:
            self.store.add_node(node)
        self.clock.advance(1_000)
        self.pauses: list[float] = []

    def reserver(self, strategy: str = "spread", *, seed: int = 1) -> Reserver:
        view = FleetView(
            store=self.store, clock=self.clock, options=options(strategy), freshness=Freshness(index_lag_s=LAG_S)
        )
        return Reserver(store=self.store, view=view, clock=self.clock, random=Random(seed), pause=self.pauses.append)

    def calls(self) -> dict[str, int]:
        """Since the last time this was asked."""
        calls = dict(self.store.calls)
        self.store.calls.clear()
        return calls


def small(name: str, **rules: object) -> Request:
    return replace(a_request(name, cpus=0.01, memory_mib=1), rules=Rules(**rules))  # type: ignore[arg-type]


def node_of(outcome: Placed | Container) -> str:
    assert isinstance(outcome, Placed)
    return outcome.node.id


def thousand_nodes(held: int = 0) -> Fleet:
    fleet = Fleet([a_node(f"i-{number:04}") for number in range(1_000)])
    for number in range(held):
        node = fleet.store.stored.nodes[NodeId(f"i-{number % 1_000:04}")]
        fleet.store.given(Container(small(f"held-{number}"), ContainerState.RUNNING, 0.0, node=node.id))
    fleet.clock.advance(1_000)
    return fleet


# What a decision costs at 1,000 nodes; see docs/adr/0017.
def test_a_warm_decision_is_one_transaction_and_no_read() -> None:
    fleet = thousand_nodes()
    reserver = fleet.reserver()
    fleet.calls()
    reserver.reserve(small("web-1"))
    assert fleet.calls() == {"nodes": 1, "reserve": 1}
    for number in range(2, 12):
        reserver.reserve(small(f"web-{number}"))
    assert fleet.calls() == {"reserve": 10}


def test_a_view_that_is_too_old_costs_one_look_at_the_changes() -> None:
    fleet = thousand_nodes()
    reserver, other = fleet.reserver(), fleet.reserver(seed=2)
    reserver.reserve(small("web-0"))
    for number in range(1, 20):
        other.reserve(small(f"web-{number}"))
    fleet.clock.advance(3)
    fleet.calls()
    reserver.reserve(small("web-20"))
    assert fleet.calls() == {"node_changes": 1, "reserve": 1}


def test_a_warm_decision_that_asks_what_nodes_hold_reads_only_what_has_changed() -> None:
    fleet = thousand_nodes(held=3_000)
    reserver, other = fleet.reserver(), fleet.reserver(seed=2)
    asking = {"affinities": ("container!=held-7",), "ports": (HostPort(80),)}
    fleet.calls()
    reserver.reserve(small("web-0", **asking))
    assert fleet.calls() == {"nodes": 1, "contents": 1, "reserve": 1}
    reserver.reserve(small("web-1", **asking))
    assert fleet.calls() == {"reserve": 1}
    other.reserve(small("web-2"))
    fleet.clock.advance(3)
    fleet.calls()
    reserver.reserve(small("web-3", **asking))
    assert fleet.calls() == {"node_changes": 1, "contents": 1, "reserve": 1}


def test_a_refusal_looks_at_the_fleet_again_and_writes_the_pending_record() -> None:
    fleet = Fleet([a_node(slots=0)])
    reserver = fleet.reserver()
    reserver.reserve(small("web-1"))
    fleet.calls()
    reserver.reserve(small("web-2"))
    assert fleet.calls() == {"node_changes": 1, "park": 1}
    fleet.clock.advance(2.0)
    reserver.reserve(small("web-3"))
    assert fleet.calls() == {"node_changes": 1, "nodes": 1, "park": 1}


# Never pending on a stale view.
@pytest.mark.parametrize("index_lag_s", [0.0, 1e6], ids=["by the index", "whatever the index shows"])
def test_nothing_is_parked_while_room_has_appeared_that_the_view_has_not_seen(index_lag_s: float) -> None:
    fleet = Fleet([a_node(slots=1)], index_lag_s=0.0)
    reserver = fleet.reserver()
    first = reserver.reserve(small("web-1"))
    assert isinstance(first, Placed)
    fleet.store.index_lag_s = index_lag_s
    fleet.clock.advance(2.0)
    fleet.store.release(first.container)
    assert node_of(reserver.reserve(small("web-2"))) == "i-0a"


def test_a_dependency_that_has_just_come_is_found_before_the_request_is_parked() -> None:
    fleet = Fleet([a_node("i-0a"), a_node("i-0b")])
    reserver, other = fleet.reserver(), fleet.reserver(seed=2)
    reserver.reserve(small("web-0", affinities=("container!=nobody",)))
    db = other.reserve(small("db"))
    assert node_of(reserver.reserve(small("web-1", links=("db:db",)))) == node_of(db)


# Races.
def test_a_lost_race_teaches_the_true_state_without_a_read() -> None:
    fleet = Fleet([a_node("i-0a", slots=1), a_node("i-0b", slots=1)])
    slow, fast = fleet.reserver(), fleet.reserver(seed=2)
    slow.explain(small("x"))
    fast.reserve(small("web-1"))
    fleet.calls()
    slow.reserve(small("web-2"))
    assert fleet.calls() in ({"reserve": 1}, {"reserve": 2})
    assert sum(node.containers for node in fleet.store.nodes()) == 2


def test_a_conflict_that_taught_nothing_is_read_again_after_a_jittered_pause() -> None:
    fleet = Fleet([a_node()])
    reserver = fleet.reserver()
    fleet.store.contend(times=3)
    fleet.calls()
    assert node_of(reserver.reserve(small("web-1"))) == "i-0a"
    assert fleet.calls() == {"nodes": 1, "reserve": 4, "node": 3}
    assert len(set(fleet.pauses)) == 3
    assert reserver.races.conflicts == 3


def test_who_loses_every_race_is_parked_after_a_second_look() -> None:
    fleet = Fleet([a_node()])
    fleet.store.contend(times=1_000)
    outcome = fleet.reserver().reserve(small("web-1"))
    assert isinstance(outcome, Container)
    assert outcome.reason == "every try lost a race for its node"
    assert fleet.calls()["reserve"] == 2 * RESERVATION_TRIES


@pytest.mark.parametrize("strategy", ["spread", "binpack"])
def test_lost_races_widen_the_choice_and_calm_narrows_it_again(strategy: str) -> None:
    fleet = Fleet([a_node(f"i-{number:02}") for number in range(50)])
    calm, rushed = fleet.reserver(strategy), fleet.reserver(strategy)
    fleet.store.contend(times=6)
    chosen = {node_of(rushed.reserve(small(f"rushed-{number}"))) for number in range(8)}
    fleet.clock.advance(3 * Breadth.HALF_LIFE_S)
    still = {node_of(rushed.reserve(small(f"more-{number}"))) for number in range(8)}
    fleet.clock.advance(6 * Breadth.HALF_LIFE_S)
    again = [node_of(rushed.reserve(small(f"calm-{number}"))) for number in range(4)]
    assert len(chosen) > 4
    assert len(still) > 2
    if strategy == "binpack":
        assert len(set(again)) == 1
        assert len({node_of(calm.reserve(small(f"first-{number}"))) for number in range(4)}) == 1


# Rules about others hold at the write.
def test_two_requests_for_one_port_decided_on_the_same_view_never_share_a_node() -> None:
    fleet = Fleet([a_node("i-0a"), a_node("i-0b"), a_node("i-0c")])
    reservers = [fleet.reserver(seed=seed) for seed in range(3)]
    for each in reservers:
        each.explain(small("x", ports=(HostPort(80),)))
    nodes = [node_of(each.reserve(small(f"w-{n}", ports=(HostPort(80),)))) for n, each in enumerate(reservers)]
    assert sorted(nodes) == ["i-0a", "i-0b", "i-0c"]
    late = fleet.reserver(seed=9).reserve(small("w-9", ports=(HostPort(80),)))
    assert isinstance(late, Container)


def test_what_a_node_holds_is_read_again_after_a_race_that_was_lost_over_it() -> None:
    fleet = Fleet([a_node("i-0a"), a_node("i-0b")])
    slow, fast = fleet.reserver("binpack"), fleet.reserver("binpack", seed=2)
    asking = {"ports": (HostPort(80),)}
    slow.explain(small("x", **asking))
    first = fast.reserve(small("web-1", **asking))
    second = slow.reserve(small("web-2", **asking))
    assert {node_of(first), node_of(second)} == {"i-0a", "i-0b"}
    assert slow.races.lost <= 1


def test_what_a_view_missed_is_looked_up_after_a_lost_race() -> None:
    fleet = Fleet([a_node(f"i-{number}", slots=1) for number in range(5)])
    slow, fast = fleet.reserver(), fleet.reserver(seed=2)
    slow.explain(small("x"))
    for number in range(4):
        fast.reserve(small(f"web-{number}"))
    fleet.clock.advance(1)
    fleet.calls()
    slow.reserve(small("web-4"))
    assert slow.races.lost <= 1
    assert fleet.calls() in ({"reserve": 1}, {"reserve": 2, "node_changes": 1})


def test_an_anti_affinity_holds_against_a_container_that_came_after_the_look() -> None:
    fleet = Fleet([a_node("i-0a"), a_node("i-0b")])
    slow, fast = fleet.reserver(), fleet.reserver(seed=2)
    apart = {"affinities": ("container!=web-*",)}
    slow.explain(small("x", **apart))
    first = fast.reserve(small("web-1", **apart))
    assert node_of(slow.reserve(small("web-2", **apart))) != node_of(first)


def test_what_only_needs_room_is_written_though_others_came_meanwhile() -> None:
    fleet = Fleet([a_node()])
    slow, fast = fleet.reserver(), fleet.reserver(seed=2)
    slow.explain(small("x"))
    for number in range(5):
        fast.reserve(small(f"other-{number}"))
    fleet.calls()
    slow.reserve(small("web-1"))
    assert fleet.calls() == {"reserve": 1}


def test_our_own_start_costs_the_next_decision_no_lost_race() -> None:
    fleet = Fleet([a_node()])
    reserver = fleet.reserver()
    for number in range(4):
        placed = reserver.reserve(small(f"web-{number}", ports=(HostPort(80 + number),)))
        assert isinstance(placed, Placed)
        running = fleet.store.confirm(placed.container, engine_id=f"engine-{number}", now=0.0)
        reserver.started(placed, running)
    assert reserver.races.lost == 0


# Avoiding.
def test_avoided_nodes_are_refused_and_shunned_ones_taken_last() -> None:
    fleet = Fleet([a_node("i-0a"), a_node("i-0b"), a_node("i-0c", slots=1)])
    reserver = fleet.reserver()
    avoid, shun = frozenset({NodeId("i-0a")}), frozenset({NodeId("i-0b")})
    nodes = [node_of(reserver.reserve(small(f"web-{n}"), avoid=avoid, shun=shun)) for n in range(3)]
    assert nodes == ["i-0c", "i-0b", "i-0b"]
    nobody = reserver.reserve(small("web-9"), avoid=frozenset(map(NodeId, ("i-0a", "i-0b", "i-0c"))))
    assert isinstance(nobody, Container)


# Pending records and quotas.
def test_a_known_pending_record_is_placed_by_one_transaction() -> None:
    fleet = Fleet([a_node()])
    parked = fleet.store.park(small("web-1"), reason="full", now=1.0)
    reserver = fleet.reserver()
    reserver.explain(small("x"))
    fleet.calls()
    placed = reserver.reserve(parked.request, pending=parked)
    assert isinstance(placed, Placed)
    assert placed.container.requested_at == 1.0
    assert fleet.calls() == {"reserve": 1}


def test_a_pending_record_is_written_again_only_for_another_reason() -> None:
    fleet = Fleet([a_node(slots=0)])
    parked = fleet.store.park(small("web-1"), reason="the fleet has no nodes", now=1.0)
    reserver = fleet.reserver()
    told = reserver.reserve(parked.request, pending=parked)
    assert isinstance(told, Container)
    assert told.reason == "1 of 1 nodes: containerslots"
    fleet.calls()
    assert reserver.reserve(parked.request, pending=told) == told
    assert "explain" not in fleet.calls()


def test_a_pending_record_that_somebody_else_placed_is_left_to_them() -> None:
    fleet = Fleet([a_node(), a_node("i-0b")])
    parked = fleet.store.park(small("web-1"), reason="full", now=1.0)
    fleet.reserver().reserve(parked.request, pending=parked)
    with pytest.raises(Conflict):
        fleet.reserver().reserve(parked.request, pending=parked)
    assert sum(node.containers for node in fleet.store.nodes()) == 1


def test_a_request_beyond_its_tenants_quota_is_neither_placed_nor_parked() -> None:
    fleet = Fleet([a_node(slots=1)])
    reserver = fleet.reserver()
    reserver.reserve(small("web-1"), quota=Quota(containers=2))
    assert isinstance(reserver.reserve(small("web-2"), quota=Quota(containers=2)), Container)
    with pytest.raises(QuotaExceeded):
        reserver.reserve(small("web-3"), quota=Quota(containers=2))
    assert [one.name for one in fleet.store.containers()] == ["web-1", "web-2"]


def test_a_taken_name_is_told() -> None:
    fleet = Fleet([a_node()])
    fleet.reserver().reserve(small("web-1"))
    with pytest.raises(NameTaken):
        fleet.reserver().reserve(replace(small("web-1"), image="other"))


def test_a_contended_pending_record_is_tried_again_as_it_then_is() -> None:
    fleet = Fleet([a_node()])
    parked = fleet.store.park(small("web-1"), reason="full", now=1.0)
    fleet.store.park(small("web-1"), reason="still full", now=1.0)
    assert node_of(fleet.reserver().reserve(parked.request, pending=parked)) == "i-0a"


def test_a_pending_record_that_was_removed_meanwhile_is_not_made_anew() -> None:
    fleet = Fleet([a_node()])
    parked = fleet.store.park(small("web-1"), reason="full", now=1.0)
    fleet.store.release(fleet.store.begin_removal(parked))
    with pytest.raises(Conflict):
        fleet.reserver().reserve(parked.request, pending=parked)
    assert fleet.store.containers() == ()
    assert fleet.store.nodes()[0].containers == 0


# Explaining.
def test_an_explanation_knows_what_others_did_within_the_bound() -> None:
    fleet = Fleet([a_node("i-0a"), a_node("i-0b")])
    reserver = fleet.reserver()
    reserver.explain(small("x"))
    fleet.store.save_node(replace(fleet.store.stored.nodes[NodeId("i-0a")], state=NodeState.DRAINING))
    fleet.clock.advance(2.0)
    decision = reserver.explain(small("x"))
    assert decision.chosen is not None
    assert (decision.chosen.id, len(decision.refused)) == ("i-0b", 1)


def test_a_race_for_the_last_slots_of_many_views_fills_them_exactly() -> None:
    fleet = Fleet([a_node(f"i-{number}", slots=3) for number in range(4)])
    reservers = [fleet.reserver(strategy, seed=n) for n, strategy in enumerate(["spread", "binpack", "random"] * 4)]
    for each in reservers:
        each.explain(small("x"))
    outcomes = [each.reserve(small(f"w-{turn}-{n}")) for turn in range(2) for n, each in enumerate(reservers)]
    assert sum(isinstance(one, Placed) for one in outcomes) == 12
    assert all(node.containers == 3 for node in fleet.store.nodes())
    assert a_limit(fleet.store.nodes()[0], small("x")).containers == 2


def test_a_contention_of_two_writers_is_no_reason_to_believe_that_the_node_is_full() -> None:
    fleet = Fleet([a_node()])
    fleet.store.fail("reserve", Contention("met"), times=1, after=True)  # it was written, and the answer was lost
    with pytest.raises(NameTaken):
        fleet.reserver().reserve(small("web-1"))
    assert fleet.store.nodes()[0].containers == 1
