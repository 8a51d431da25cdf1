from __future__ import annotations

import pytest

from swarmkeeper.domain.scaling.packing import in_packing_order, pack
from tests.unit.domain.builders import a_node, a_request, resources


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
    packing = pack(requests, [a_node("i-0a"), a_node("i-0b")], strategy=strategy)
    assert {node for _, node in packing.placed} == used


def test_what_fits_nowhere_is_left() -> None:
    requests = [a_request("a", cpus=1.5), a_request("b", cpus=1.5)]
    packing = pack(requests, [a_node()], strategy="spread")
    assert ([name for name, _ in packing.placed], [each.name for each in packing.left]) == (["a"], ["b"])


def test_soft_expressions_hold_until_their_nodes_are_full() -> None:
    nodes = [a_node("i-0a"), a_node("i-ssd", labels={"disk": "ssd"})]
    requests = [a_request(name, cpus=1, memory_mib=0, constraints=("disk==~ssd",)) for name in "abc"]
    assert [node for _, node in pack(requests, nodes, strategy="spread").placed] == ["i-ssd", "i-ssd", "i-0a"]
