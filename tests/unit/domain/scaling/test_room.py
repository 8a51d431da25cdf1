"""What a decision tries in thought goes where placement would put it, and can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, NodeId, PoolName, Request, Rules
from swarmkeeper.domain.scaling.demand import new_node
from swarmkeeper.domain.scaling.room import Room
from swarmkeeper.domain.scaling.spare import Spare
from tests.unit.domain.builders import WORKERS, a_node, a_pool, a_request, facts, options, resources

TWO = [a_node("i-0a"), a_node("i-0b")]
APART, TOGETHER = Rules(affinities=("app!=web",)), Rules(affinities=("app==~web",))


def room(nodes: Sequence[Node], strategy: str = "spread", balance_over: str = "") -> Room:
    spares = {WORKERS: (Spare(resources(0.5, 0), 8),)}
    return Room(facts(nodes), options(strategy, balance_over=balance_over), spares)


def web(names: str, rules: Rules) -> list[Request]:
    return [replace(a_request(name, cpus=0.1), rules=rules, labels={"app": "web"}) for name in names]


@pytest.mark.parametrize(("strategy", "used"), [("spread", {"i-0a", "i-0b"}), ("binpack", {"i-0a"})])
def test_requests_go_where_the_strategy_puts_them(strategy: str, used: set[str]) -> None:
    taken, left = room(TWO, strategy).place([a_request("a"), a_request("b")])
    assert (set(taken.values()), left) == (used, [])


def test_what_fits_nowhere_is_left() -> None:
    taken, left = room([a_node()]).place([a_request("a", cpus=1.5), a_request("b", cpus=1.5)])
    assert (list(taken), [each.name for each in left]) == (["a"], ["b"])


def test_soft_expressions_hold_until_their_nodes_are_full() -> None:
    nodes = [a_node("i-0a"), a_node("i-ssd", labels={"disk": "ssd"})]
    requests = [a_request(name, cpus=1, memory_mib=0, constraints=("disk==~ssd",)) for name in "abc"]
    assert list(room(nodes).place(requests)[0].values()) == ["i-ssd", "i-ssd", "i-0a"]


def test_what_is_put_down_counts_for_the_rules_of_what_follows() -> None:
    taken, left = room(TWO).place(web("abc", APART))
    assert (taken, len(left)) == ({"a": "i-0a", "b": "i-0b"}, 1)


def test_a_soft_affinity_finds_what_was_put_down_before_it() -> None:
    assert list(room(TWO).place(web("abc", TOGETHER))[0].values()) == ["i-0a"] * 3


def test_balance_is_kept() -> None:
    nodes = [a_node("a1", labels={"zone": "a"}), a_node("a2", labels={"zone": "a"}), a_node("b1", labels={"zone": "b"})]
    requests = [a_request(str(number), cpus=0.1, memory_mib=1) for number in range(4)]
    assert list(room(nodes, balance_over="zone").place(requests)[0].values()) == ["a1", "b1", "a2", "b1"]


def test_a_closed_node_takes_nothing_and_counts_for_nothing() -> None:
    tried = room(TWO)
    tried.close(NodeId("i-0a"))
    assert list(tried.place([a_request("a")])[0].values()) == ["i-0b"]
    assert tried.book(WORKERS).nodes == 1


def test_what_is_tried_leaves_no_trace_once_undone() -> None:
    nodes = [*TWO, a_node("i-0c", state=NodeState.DRAINING, reserved=resources(1, 0), containers=1)]
    tried, untouched = room(nodes), room(nodes)
    tried.place([a_request("kept", cpus=0.25)])
    untouched.place([a_request("kept", cpus=0.25)])
    mark = tried.mark()
    taken, _ = tried.place([a_request(name) for name in "abcdefghij"])
    tried.open(NodeId("i-0c"))
    tried.take_off(a_request("a"), taken["a"])
    tried.close(NodeId("i-0b"))
    tried.add(new_node(a_pool(), 0))
    tried.place([a_request(name) for name in "klm"])
    tried.undo(mark)
    assert tried.nodes == untouched.nodes
    assert tried.book(WORKERS).usage == untouched.book(WORKERS).usage
    assert tried.book(WORKERS).keeps_spares == untouched.book(WORKERS).keeps_spares
    again = [a_request(name) for name in "uvwxyz"]
    assert tried.place(again) == untouched.place(again)


def test_spare_room_is_counted_node_by_node() -> None:
    half_full = [a_node(f"i-0{letter}", reserved=resources(1.2, 0)) for letter in "abcdef"]
    book = room(half_full).book(WORKERS)
    assert not book.keeps_spares  # 4.8 CPUs are free, in pieces of 0.8: six halves
    assert book.nodes_for_spares(new_node(a_pool(), 0)) == 1


def test_nodes_of_other_pools_have_books_of_their_own() -> None:
    assert room([a_node("i-0a"), a_node("i-0b", pool="other")]).book(PoolName("other")).nodes == 1
