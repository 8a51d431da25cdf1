from __future__ import annotations

import pytest

from swarmkeeper.domain.model import Occupant
from swarmkeeper.domain.placement.dependencies import is_found

LONG = "0123456789abcdef0123456789abcdef"
OTHER = "0123456789ffffff"
DB = Occupant("db", id=LONG, swarm_id="5eed5eed5eed5eed")
WEB = Occupant("web", id=OTHER)
NAMELESS = Occupant("", id="beefbeefbeefbeef")
PENDING = Occupant("cache", swarm_id="ca11ca11ca11ca11")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        pytest.param(LONG, True, id="id"),
        pytest.param("0123456789ab", True, id="short id"),
        pytest.param("0123456789abc", True, id="a prefix that one has"),
        pytest.param("0123456789", False, id="a prefix that two have"),
        pytest.param("5eed5eed5eed5eed", True, id="Swarm id"),
        pytest.param("5eed5eed5eed", True, id="short Swarm id"),
        pytest.param("5e", True, id="prefix of a Swarm id"),
        pytest.param("ca11", True, id="of a container that is not created yet"),
        pytest.param("db", True, id="name"),
        pytest.param("/db", True, id="name as Docker keeps it"),
        pytest.param("node-1/db", True, id="name behind the node's"),
        pytest.param("i-0a/db", True, id="name behind the node's id"),
        pytest.param("node-2/db", False, id="of another node"),
        pytest.param("d", False, id="names have no prefixes"),
        pytest.param("be", True, id="one without a name by its id"),
        pytest.param("", False, id="nothing"),
        pytest.param("DB", False, id="case counts"),
    ],
)
def test_a_reference_finds_one_container_of_the_node(reference: str, found: bool) -> None:
    assert is_found(reference, (DB, WEB, NAMELESS, PENDING), "i-0a", "node-1") is found


def test_a_name_that_two_containers_have_finds_none_not_even_by_prefix() -> None:
    assert not is_found("c0", (Occupant("c0"), Occupant("c0"), Occupant("x", id="c0ffee")), "i-0a", "node-1")


def test_a_prefix_of_both_ids_of_one_container_is_found_where_classic_swarm_counted_it_twice() -> None:
    assert is_found("ab", (Occupant("db", id="ab01", swarm_id="ab02"),), "i-0a", "node-1")
