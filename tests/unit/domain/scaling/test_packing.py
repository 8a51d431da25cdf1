from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import Rules
from swarmkeeper.domain.scaling.packing import in_packing_order, pack
from tests.unit.domain.builders import a_node, a_request, facts, options, resources


def test_the_largest_share_of_either_resource_comes_first() -> None:
    requests = [
        a_request("small", cpus=0.1, memory_mib=10),
        a_request("memory", cpus=0.1, memory_mib=1024),
        a_request("cpu", cpus=1.5, memory_mib=10),
    ]
    assert [each.name for each in in_packing_order(requests, resources(2, 2048))] == ["cpu", "memory", "small"]


@pytest.mark.parametrize(("strategy", "used"), [("spread", {"i-0a", "i-0b"}), ("binpack", {"i-0a"})])
def test_requests_go_where_the_strategy_puts_them(strategy: str, used: set[str]) -> None:
    requests = [a_request("a"), a_request("b")]
    packing = pack(requests, facts([a_node("i-0a"), a_node("i-0b")]), options=options(strategy))
    assert {node for _, node in packing.placed} == used


def test_what_fits_nowhere_is_left() -> None:
    requests = [a_request("a", cpus=1.5), a_request("b", cpus=1.5)]
    packing = pack(requests, facts([a_node()]), options=options())
    assert ([name for name, _ in packing.placed], [each.name for each in packing.left]) == (["a"], ["b"])


def test_soft_expressions_hold_until_their_nodes_are_full() -> None:
    nodes = [a_node("i-0a"), a_node("i-ssd", labels={"disk": "ssd"})]
    requests = [a_request(name, cpus=1, memory_mib=0, constraints=("disk==~ssd",)) for name in "abc"]
    assert [node for _, node in pack(requests, facts(nodes), options=options()).placed] == ["i-ssd", "i-ssd", "i-0a"]


def test_what_is_packed_counts_for_the_rules_of_what_follows() -> None:
    apart = Rules(affinities=("app!=web",))
    requests = [replace(a_request(name, cpus=0.1), rules=apart, labels={"app": "web"}) for name in "abc"]
    packing = pack(requests, facts([a_node("i-0a"), a_node("i-0b")]), options=options())
    assert (dict(packing.placed), len(packing.left)) == ({"a": "i-0a", "b": "i-0b"}, 1)


def test_a_soft_affinity_finds_what_was_packed_before_it() -> None:
    together = Rules(affinities=("app==~web",))
    requests = [replace(a_request(name, cpus=0.1), rules=together, labels={"app": "web"}) for name in "abc"]
    packing = pack(requests, facts([a_node("i-0a"), a_node("i-0b")]), options=options())
    assert [node for _, node in packing.placed] == ["i-0a", "i-0a", "i-0a"]


def test_balance_is_kept_while_packing() -> None:
    nodes = [a_node("a1", labels={"zone": "a"}), a_node("a2", labels={"zone": "a"}), a_node("b1", labels={"zone": "b"})]
    requests = [a_request(str(number), cpus=0.1, memory_mib=1) for number in range(4)]
    packing = pack(requests, facts(nodes), options=options(balance_over="zone"))
    assert [node for _, node in packing.placed] == ["a1", "b1", "a2", "b1"]
