"""Whether the fleet could ever hold a request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Pool, PoolName, Request, Role, Rules
from swarmkeeper.domain.scaling.feasibility import why_never
from tests.fakes.builders import a_node, a_request, options, resources

WORKERS = Pool(PoolName("workers"), Role.WORKER, "g", 0, 4, resources(2, 2048), 4, {"storage": "hdd"})
GPUS = Pool(PoolName("gpus"), Role.WORKER, "g", 0, 4, resources(8, 8192), 4, {"storage": "ssd"})
MANAGERS = Pool(PoolName("managers"), Role.MANAGER, "g", 1, 1, resources(64, 2**20))
POOLS = (MANAGERS, WORKERS, GPUS)


def with_rules(**rules: tuple[str, ...]) -> Request:
    return replace(a_request(), rules=Rules(**rules))  # type: ignore[arg-type]  # of texts only


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(a_request(cpus=2), id="the smaller pool holds it"),
        pytest.param(a_request(cpus=8), id="the larger pool holds it"),
        pytest.param(with_rules(constraints=("storage==ssd",)), id="one pool has the label"),
        pytest.param(with_rules(constraints=("storage==~tape",)), id="soft expressions are dropped"),
        pytest.param(with_rules(affinities=("container==db",)), id="its company may come"),
        pytest.param(with_rules(links=("db:db",)), id="what it links to may come"),
    ],
)
def test_what_an_empty_node_of_some_pool_could_hold_is_possible(request_: Request) -> None:
    assert why_never(request_, POOLS, (), options()) == ""


def test_every_pool_says_why_it_never_could() -> None:
    why = why_never(a_request(cpus=4), (MANAGERS, WORKERS), (), options())
    assert why.startswith("pool workers: resources: wants 4 CPUs")
    assert "managers" not in why


def test_a_fleet_of_managers_alone_says_so() -> None:
    assert why_never(a_request(), (MANAGERS,), (), options()) == "pool managers: role: is a manager"


def test_pools_differ_in_their_reasons() -> None:
    why = why_never(replace(a_request(cpus=4), rules=Rules(constraints=("storage==hdd",))), POOLS, (), options())
    assert "pool workers: resources" in why
    assert "pool gpus: constraint: storage==hdd" in why


def test_a_present_node_counts_as_if_it_were_empty() -> None:
    large = a_node(capacity=resources(32, 65536), reserved=resources(32, 65536), containers=4, slots=4)
    assert why_never(a_request(cpus=30), POOLS, (large,), options()) == ""
    assert why_never(a_request(cpus=33), POOLS, (large,), options()) != ""


def test_a_named_node_is_possible_while_it_is_there() -> None:
    request = with_rules(constraints=("node==i-0a",))
    assert why_never(request, POOLS, (a_node("i-0a"),), options()) == ""
    assert why_never(request, POOLS, (a_node("i-0b"),), options()) != ""
    assert why_never(request, POOLS, (a_node("i-0a", state=NodeState.GONE),), options()) != ""


def test_a_pool_without_slots_for_anything_holds_nothing() -> None:
    assert "containerslots" in why_never(a_request(), (replace(WORKERS, slots=0),), (), options())


def test_a_fleet_without_pools_says_so() -> None:
    assert why_never(a_request(), (), (), options()) == "the fleet has no pools"
