from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import HostPort, NodeId, Rules
from swarmkeeper.domain.placement.expressions import InvalidExpression
from swarmkeeper.domain.placement.wish import dependencies_of, parse_rules, wish_of
from tests.unit.domain.builders import a_request, options

SOFT = Rules(
    constraints=("disk==~ssd", "zone==a"),
    affinities=("app!=~web",),
    whitelists=("node==~x", "node==a|b"),
    links=("db",),
)


def test_a_wish_has_all_that_the_request_says() -> None:
    rules = replace(SOFT, ports=(HostPort(80),), exposed=("80/tcp",), network_mode="host")
    wish = wish_of(replace(a_request(image="nginx"), rules=rules), options(), frozenset({NodeId("i-0a")}))
    assert [str(each) for each in wish.constraints] == ["disk==~ssd", "zone==a"]
    assert [str(each) for each in wish.affinities] == ["app!=~web"]
    assert [str(each) for each in wish.whitelists] == ["node==~x", "node==a|b"]
    assert (wish.ports, wish.exposed, wish.network_mode) == ((HostPort(80),), ("80/tcp",), "host")
    assert (wish.dependencies, wish.image, wish.avoid) == (("db",), "nginx", frozenset({NodeId("i-0a")}))


def test_the_second_pass_drops_all_soft_expressions_and_nothing_else() -> None:
    wish = wish_of(replace(a_request(), rules=SOFT), options())
    hard = wish.hard_only()
    assert wish.is_soft
    assert not hard.is_soft
    assert [str(each) for each in (*hard.constraints, *hard.affinities, *hard.whitelists)] == ["zone==a", "node==a|b"]
    assert (hard.dependencies, hard.reservation) == (wish.dependencies, wish.reservation)
    assert hard.hard_only() is hard


@pytest.mark.parametrize(
    ("rules", "references"),
    [
        (Rules(), ()),
        (Rules(links=("db:alias", "db:other", "cache")), ("db", "cache")),
        (Rules(volumes_from=("data:ro",), network_mode="container:a:b"), ("data", "a:b")),
        (Rules(links=(":alias",)), ("",)),
        (Rules(network_mode="host"), ()),
    ],
)
def test_dependencies_are_what_stands_before_the_first_colon(rules: Rules, references: tuple[str, ...]) -> None:
    assert dependencies_of(rules) == references


@pytest.mark.parametrize("rules", [Rules(("x==y",)), Rules((), ("app==[",)), Rules((), (), ("node!=a",))])
def test_rules_can_be_checked_on_their_own(rules: Rules) -> None:
    with pytest.raises(InvalidExpression):
        parse_rules(rules, options().compile_pattern)


def test_the_same_text_is_parsed_once_for_each_compiler() -> None:
    first, second = (parse_rules(SOFT, options().compile_pattern) for _ in range(2))
    assert first[1][0] is second[1][0]
    assert first[2][0] is second[2][0]
