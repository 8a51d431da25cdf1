"""The store that benchmarks contend for: it takes its time, and writers that meet collide as in DynamoDB."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarmkeeper.adapters.memory.contended import PATIENCE, ContendedStore
from swarmkeeper.domain.model import Container
from swarmkeeper.errors import Contention, NodeChanged
from tests.fakes.builders import a_limit, a_node, a_request

LATENCY_S = 0.004


class Fleet:
    """A store in which a test does something while a call is under way."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.meanwhile: dict[int, Callable[[], object]] = {}
        self.store = ContendedStore(latency_s=LATENCY_S, now=lambda: 0.0, pause=self._pause)
        for node_id in ("i-0a", "i-0b"):
            self.store.add_node(a_node(node_id))
        self.pauses.clear()

    def place(self, name: str, node_id: str = "i-0a") -> Container:
        node, request = a_node(node_id), a_request(name)
        return self.store.reserve(request, node, a_limit(node, request), now=0.0)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        act = self.meanwhile.pop(len(self.pauses), None)
        if act is not None:
            act()


def test_a_transaction_takes_twice_the_time_of_a_read() -> None:
    fleet = Fleet()
    fleet.store.nodes()
    assert sum(fleet.pauses) == LATENCY_S
    fleet.pauses.clear()
    fleet.place("web-1")
    assert sum(fleet.pauses) == 2 * LATENCY_S


def test_two_transactions_on_one_node_at_once_collide() -> None:
    fleet = Fleet()
    outcome: list[type[BaseException] | None] = []

    def second() -> None:
        with pytest.raises(Contention):
            fleet.place("web-2")
        outcome.append(Contention)

    fleet.meanwhile[2] = second  # the first one holds its items
    fleet.place("web-1")
    assert (outcome, fleet.store.collisions) == ([Contention], 1)
    assert [each.name for each in fleet.store.containers()] == ["web-1"]


def test_transactions_on_different_nodes_do_not_meet() -> None:
    fleet = Fleet()
    fleet.meanwhile[2] = lambda: fleet.place("web-2", "i-0b")
    fleet.place("web-1")
    assert fleet.store.collisions == 0
    assert len(fleet.store.containers()) == 2


def test_writes_that_must_come_through_are_tried_again_and_again() -> None:
    fleet = Fleet()
    held = fleet.place("web-1")
    fleet.pauses.clear()

    def confirm() -> None:
        with pytest.raises(Contention):
            fleet.store.confirm(held, engine_id="engine-1", now=0.0)

    fleet.meanwhile[2] = confirm
    fleet.place("web-2")  # holds the node for as long as the confirmation is tried
    assert fleet.store.collisions == PATIENCE
    assert fleet.store.confirm(held, engine_id="engine-1", now=0.0).engine_id == "engine-1"


def test_a_failed_condition_tells_the_truth_and_holds_nothing_afterwards() -> None:
    fleet = Fleet()
    stale = a_node("i-0a", epoch=7)
    with pytest.raises(NodeChanged) as refused:
        fleet.store.reserve(a_request(), stale, a_limit(stale, a_request()), now=0.0)
    assert refused.value.actual == a_node("i-0a")
    fleet.place("web-1")
