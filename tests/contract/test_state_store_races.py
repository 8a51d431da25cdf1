"""Threads that race for a StateStore's last slot, name or release: exactly one wins, whoever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest

from swarmkeeper.domain.model import Container, Node
from swarmkeeper.errors import Conflict, NameTaken, NodeChanged
from swarmkeeper.ports import StateStore
from tests.contract.acts import NOW, assert_totals_are_the_sum, now_stored, placed, running, with_node
from tests.fakes.builders import a_limit, a_node, a_request

RACERS = 6
R = TypeVar("R")


def race(acts: Sequence[Callable[[], R]]) -> list[R | Conflict]:
    """Start all acts at one moment; their results, or the conflicts that they lost by."""
    start = Barrier(len(acts))

    def run(act: Callable[[], R]) -> R | Conflict:
        start.wait(timeout=30)
        try:
            return act()
        except Conflict as lost:
            return lost

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def reserving(store: StateStore, name: str, node: Node) -> Callable[[], Container]:
    return lambda: placed(store, node, name)


def test_one_wins_the_last_slot_and_the_others_see_why(store: StateStore) -> None:
    node = with_node(store, a_node(slots=1))
    outcomes = race([reserving(store, f"web-{number}", node) for number in range(RACERS)])
    winners = [one for one in outcomes if isinstance(one, Container)]
    losers = [one for one in outcomes if isinstance(one, NodeChanged)]
    assert (len(winners), len(losers)) == (1, RACERS - 1)
    assert all(one.actual == now_stored(store, node) for one in losers)
    assert store.containers() == tuple(winners)
    assert_totals_are_the_sum(store)


def test_one_wins_a_name_on_many_nodes(store: StateStore) -> None:
    nodes = [with_node(store, a_node(f"i-{number}")) for number in range(RACERS)]
    outcomes = race([reserving(store, "web-1", node) for node in nodes])
    winners = [one for one in outcomes if isinstance(one, Container)]
    assert len(winners) == 1
    assert sum(isinstance(one, NameTaken) for one in outcomes) == RACERS - 1
    assert store.containers() == tuple(winners)
    assert_totals_are_the_sum(store)


def test_a_node_is_filled_to_its_limit_and_not_beyond(store: StateStore) -> None:
    capacity = a_request().reservation + a_request().reservation
    node = with_node(store, a_node(capacity=capacity))
    outcomes = race([reserving(store, f"web-{number}", node) for number in range(RACERS)])
    assert sum(isinstance(one, Container) for one in outcomes) == 2
    assert now_stored(store, node).reserved == capacity
    assert_totals_are_the_sum(store)


def test_a_pending_one_is_placed_once(store: StateStore) -> None:
    nodes = [with_node(store, a_node(f"i-{number}")) for number in range(RACERS)]
    store.park(a_request(), reason="full", now=NOW)
    outcomes = race([reserving(store, "web-1", node) for node in nodes])
    assert sum(isinstance(one, Container) for one in outcomes) == 1
    assert store.pending() == ()
    assert_totals_are_the_sum(store)


@pytest.mark.parametrize("end", ["release", "unplace", "begin_move"])
def test_a_reservation_is_given_back_or_doubled_once(store: StateStore, end: str) -> None:
    node, target = with_node(store), with_node(store, a_node("i-0b"))
    container = running(store, node)
    acts: dict[str, Callable[[], object]] = {
        "release": lambda: store.release(container),
        "unplace": lambda: store.unplace(container, reason="lost"),
        "begin_move": lambda: store.begin_move(container, target, a_limit(target, a_request())),
    }
    outcomes = race([acts[end]] * RACERS)
    assert sum(isinstance(one, Conflict) for one in outcomes) == RACERS - 1
    assert_totals_are_the_sum(store)


def test_the_end_of_a_node_and_a_reservation_exclude_each_other(store: StateStore) -> None:
    node = with_node(store)
    drained = race([lambda: store.save_node(node), reserving(store, "web-1", node)])
    assert len(store.containers()) == sum(isinstance(one, Container) for one in drained)
    assert_totals_are_the_sum(store)


def test_one_decides_a_fact(store: StateStore) -> None:
    acts = [lambda number=number: store.set_fact_once("manager", f"i-{number}") for number in range(RACERS)]
    assert len(set(race(acts))) == 1
