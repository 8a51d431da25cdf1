"""Who goes, in which order, and who stays: protected, outdated, under-used and half-empty nodes, floors, ceilings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import LeaveCause, NodeState
from swarmkeeper.domain.model import Container, ContainerState, Leaving, Node, Resources
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom, ArrivalPeak
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision, decide_fleet
from swarmkeeper.domain.scaling.floors import Ceiling, Floor
from swarmkeeper.domain.scaling.guards import Guard, Limits
from swarmkeeper.domain.scaling.policy import Consolidation, Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot
from swarmkeeper.domain.scaling.state import ScalingState
from tests.unit.domain.builders import (
    NOW,
    WORKERS,
    a_container,
    a_node,
    a_pool,
    a_request,
    a_snapshot,
    options,
    resources,
)

LIMITS = Limits(out_cooldown_s=30, in_cooldown_s=60, removals_in_window=None, drains_at_once=9)
POLICY = Policy(options("binpack"), reserved_high=0.9, reserved_low=0.0, limits=LIMITS)
AGEING = replace(POLICY, max_node_age_s=NOW - 500)
OLD, YOUNG = 100.0, 5_000.0


def decide(snapshot: FleetSnapshot, policy: Policy = POLICY) -> ScalingDecision:
    (decision,) = decide_fleet(snapshot, {WORKERS: policy}, NOW)
    return decision


def movable(*names: str, on: str, cpus: float = 0.5) -> list[Container]:
    return [a_container(name, on=on, cpus=cpus, memory_mib=10, movable=True) for name in names]


def three(*, containers: Sequence[Container] = (), **changes: object) -> FleetSnapshot:
    nodes = [a_node(f"i-0{letter}", created_at=YOUNG) for letter in "abc"]
    return a_snapshot(*nodes, containers=containers, low=0, **changes)  # type: ignore[arg-type]  # as a_snapshot takes


# Protection.


def test_a_protected_node_stays_whether_people_or_the_group_protect_it() -> None:
    nodes = [replace(a_node("i-0a"), protected=True), a_node("i-0b"), a_node("i-0c")]
    decision = decide(a_snapshot(*nodes, low=0, protected=["i-0b"]))
    assert decision.victims == ("i-0c",)
    assert decision.inputs["nodes"] == {"ready": 3, "joining": 0, "draining": 0, "promised": 0, "protected": 2}


def test_an_instance_refresh_keeps_every_node() -> None:
    decision = decide(three(refreshing=True))
    assert (decision.victims, decision.capped_by, decision.wish) == ((), Guard.REFRESH, 0)


def test_several_nodes_drain_at_once_but_no_more_than_they_may() -> None:
    limits = replace(LIMITS, drains_at_once=2)
    draining = a_node("i-0d", state=NodeState.DRAINING)
    snapshot = a_snapshot(*(a_node(f"i-0{letter}") for letter in "abc"), draining, low=0)
    decision = decide(snapshot, replace(POLICY, limits=limits))
    assert (len(decision.victims), decision.capped_by) == (1, Guard.DRAINS)


def test_what_was_removed_lately_counts_for_the_fuse() -> None:
    limits = replace(LIMITS, removals_in_window=3, removals_window_s=100)
    state = ScalingState(WORKERS, removed=((NOW - 200, 9), (NOW - 70, 2)))
    decision = decide(three(state=state), replace(POLICY, limits=limits))
    assert (len(decision.victims), decision.guards, decision.recheck_at) == (1, (Guard.FUSE,), NOW + 60)


# Floors, ceilings and headroom.


def test_a_floor_keeps_nodes_and_buys_what_lacks() -> None:
    floor = Floor(2, "schedule", "office hours")
    assert len(decide(three(floors=[floor])).victims) == 1
    grown = decide(a_snapshot(a_node(), low=0, floors=[Floor(3, "forecast", "as last week")]))
    assert (grown.desired, grown.inputs["bought_for"]) == (3, {"floor": 2})


def test_a_floor_above_max_is_a_wish() -> None:
    decision = decide(a_snapshot(a_node(), low=0, high=2, floors=[Floor(5, "schedule", "")]))
    assert (decision.desired, decision.wish, decision.capped_by) == (2, 5, Guard.MAX)


def test_draining_nodes_are_taken_back_for_a_floor() -> None:
    held = a_container("a", on="i-0b")
    snapshot = a_snapshot(
        a_node("i-0a"),
        a_node("i-0b", state=NodeState.DRAINING),
        containers=[held],
        low=0,
        floors=[Floor(2, "schedule", "")],
    )
    decision = decide(snapshot)
    assert (decision.reclaimed, decision.desired) == (("i-0b",), 2)


@pytest.mark.parametrize(("nodes", "victims"), [(3, 0), (2, 1), (0, 2)])
def test_a_ceiling_lets_nodes_be_emptied_that_are_not_under_used(nodes: int, victims: int) -> None:
    containers = [each for letter in "abc" for each in movable(letter, on=f"i-0{letter}")]
    assert len(decide(three(containers=containers, ceilings=[Ceiling(nodes, "tracking", "")])).victims) == victims


def test_nothing_goes_that_the_headroom_by_arrivals_may_need() -> None:
    peak = ArrivalPeak(resources(2, 0), resources(1, 0), NOW)
    policy = replace(POLICY, arrival_headroom=ArrivalHeadroom(percent=100, spare_nodes=1))
    state = ScalingState(WORKERS, arrivals=peak)
    assert len(decide(three(state=state), policy).victims) == 1  # one node holds two slots, one is spare
    empty = a_snapshot(low=0, state=state)
    assert (decide(empty, policy).desired, decide(empty, policy).inputs["bought_for"]) == (1, {"headroom": 1})


# Outdated nodes.


def test_an_empty_outdated_node_goes_before_other_empty_ones() -> None:
    nodes = [a_node("i-0a", created_at=YOUNG), a_node("i-0b", created_at=OLD)]
    assert decide(a_snapshot(*nodes, low=1), AGEING).victims == ("i-0b",)


@pytest.mark.parametrize(
    ("node", "policy"),
    [
        pytest.param(a_node("i-0a", created_at=OLD), AGEING, id="too old"),
        pytest.param(
            replace(a_node("i-0a", created_at=YOUNG), image_id="ami-1"), replace(POLICY, image_id="ami-2"), id="drifted"
        ),
    ],
)
def test_an_outdated_node_goes_once_its_containers_fit_elsewhere(node: Node, policy: Policy) -> None:
    other = replace(a_node("i-0b", created_at=YOUNG), image_id="ami-2")
    containers = [*movable("a", on="i-0a"), a_container("b", on="i-0b", cpus=1)]
    assert decide(a_snapshot(node, other, containers=containers, low=1), policy).victims == ("i-0a",)


def test_an_image_that_is_not_known_is_taken_for_the_right_one() -> None:
    containers = [*movable("a", on="i-0a"), a_container("b", on="i-0b", cpus=1)]
    snapshot = a_snapshot(a_node("i-0a"), a_node("i-0b"), containers=containers)
    assert decide(snapshot, replace(POLICY, image_id="ami-2")).victims == ()


def full_and_outdated(**changes: object) -> FleetSnapshot:
    nodes = [a_node("i-0a", created_at=OLD), a_node("i-0b", created_at=YOUNG)]
    containers = [*movable("a", on="i-0a", cpus=1), a_container("b", on="i-0b", cpus=1.5)]
    return a_snapshot(*nodes, containers=containers, **changes)  # type: ignore[arg-type]  # as a_snapshot takes


def test_a_replacement_is_bought_before_an_outdated_node_whose_containers_fit_nowhere_goes() -> None:
    decision = decide(full_and_outdated(), AGEING)
    assert (decision.direction, decision.desired, decision.victims) == (Direction.OUT, 3, ())
    assert decision.inputs["bought_for"] == {"replacement": 1}


def test_a_replacement_on_its_way_is_waited_for() -> None:
    decision = decide(full_and_outdated(desired=3), AGEING)
    assert (decision.direction, decision.victims) == (Direction.NONE, ())


def test_once_it_is_there_the_outdated_node_goes_and_the_replacement_stays() -> None:
    snapshot = full_and_outdated()
    grown = replace(
        snapshot,
        nodes=(*snapshot.nodes, a_node("i-0c", created_at=NOW - 100)),
        pools=tuple(replace(each, group_desired=3) for each in snapshot.pools),
    )
    assert decide(grown, AGEING).victims == ("i-0a",)


def test_at_min_an_empty_outdated_node_is_replaced_first() -> None:
    decision = decide(a_snapshot(a_node(created_at=OLD), low=1), AGEING)
    assert (decision.direction, decision.desired) == (Direction.OUT, 2)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"suspended": frozenset({"Terminate"})}, id="nothing may be ended"),
        pytest.param({"refreshing": True}, id="an instance refresh runs"),
        pytest.param({"state": ScalingState(WORKERS, last_in_at=NOW - 1)}, id="a node has just gone"),
    ],
)
def test_no_replacement_is_bought_while_no_node_may_go(changes: dict[str, object]) -> None:
    assert decide(full_and_outdated(**changes), AGEING).direction is Direction.NONE


def test_an_outdated_node_with_something_unmovable_waits() -> None:
    containers = [a_container("a", on="i-0a"), *movable("b", on="i-0a")]
    snapshot = a_snapshot(a_node("i-0a", created_at=OLD), a_node("i-0b"), containers=containers, low=2)
    assert decide(snapshot, AGEING).direction is Direction.NONE


# Nodes past their lifetime.

MORTAL = replace(POLICY, max_lifetime_s=NOW - 500)


def old_and_held(*others: Node, containers: Sequence[Container] = (), **changes: object) -> FleetSnapshot:
    """A node past its lifetime that holds one CPU that can't be moved."""
    held = [a_container("a", on="i-0a", cpus=1), *containers]
    return a_snapshot(a_node("i-0a", created_at=OLD), *others, containers=held, **changes)  # type: ignore[arg-type]  # as a_snapshot takes


def test_a_node_past_its_lifetime_goes_whatever_it_holds_once_that_fits_elsewhere() -> None:
    other = a_node("i-0b", created_at=YOUNG)
    assert decide(old_and_held(other, containers=[a_container("b", on="i-0b", cpus=0.5)]), MORTAL).victims == ("i-0a",)


def test_its_replacement_is_bought_first() -> None:
    other = a_node("i-0b", created_at=YOUNG)
    decision = decide(old_and_held(other, containers=[a_container("b", on="i-0b", cpus=1.5)]), MORTAL)
    assert (decision.desired, decision.victims, decision.inputs["bought_for"]) == (3, (), {"replacement": 1})


def test_at_max_without_room_it_stays() -> None:
    other = a_node("i-0b", created_at=YOUNG)
    decision = decide(old_and_held(other, containers=[a_container("b", on="i-0b", cpus=1.5)], high=2), MORTAL)
    assert (decision.desired, decision.victims) == (2, ())


def test_it_never_goes_while_something_waits_that_it_could_hold() -> None:
    decision = decide(old_and_held(a_node("i-0b", created_at=YOUNG), pending=[a_request("new", cpus=0.5)]), MORTAL)
    assert (decision.victims, decision.capped_by) == ((), Guard.PENDING)


def leaving_for_its_age(node: Node) -> Node:
    return replace(node, state=NodeState.DRAINING, leaving=Leaving(LeaveCause.LIFETIME, since=NOW))


def test_they_go_one_after_the_other() -> None:
    going = leaving_for_its_age(a_node("i-0z", created_at=OLD))
    containers = [a_container("z", on="i-0z", cpus=0.1), a_container("b", on="i-0b", cpus=0.1)]
    decision = decide(old_and_held(a_node("i-0b", created_at=YOUNG), going, containers=containers), MORTAL)
    assert decision.victims == ()


def test_its_replacement_is_kept_until_it_has_gone() -> None:
    nodes = [leaving_for_its_age(a_node("i-0a", created_at=OLD)), a_node("i-0b", created_at=NOW - 1)]
    assert decide(a_snapshot(*nodes, containers=[a_container("a", on="i-0a")], low=0), MORTAL).victims == ()


def test_room_is_bought_at_once_for_what_an_interrupted_node_can_not_hand_on() -> None:
    taken_back = Leaving(LeaveCause.SPOT_INTERRUPTION, since=NOW, by=NOW + 120)
    nodes = [replace(a_node("i-0a"), state=NodeState.DRAINING, leaving=taken_back), a_node("i-0b")]
    containers = [a_container("a", on="i-0a", cpus=1), a_container("b", on="i-0b", cpus=1.5)]
    assert decide(a_snapshot(*nodes, containers=containers)).desired == 3


def test_what_no_new_node_could_hold_keeps_none() -> None:
    bound = a_container("a", on="i-0a", constraints=("node==i-0a",))
    containers = [bound, a_container("b", on="i-0b", cpus=1.7)]
    snapshot = a_snapshot(a_node("i-0a", created_at=OLD), a_node("i-0b", created_at=YOUNG), containers=containers)
    assert decide(snapshot, MORTAL).victims == ("i-0a",)


def test_a_node_that_just_takes_something_in_is_not_yet_chosen() -> None:
    coming = a_container("b", on="i-0a", state=ContainerState.RESERVED)
    decision = decide(old_and_held(a_node("i-0b", created_at=YOUNG), containers=[coming], low=2), MORTAL)
    assert (decision.victims, decision.direction) == ((), Direction.NONE)


def test_protection_outlasts_a_lifetime() -> None:
    snapshot = old_and_held(a_node("i-0b", created_at=YOUNG), protected=["i-0a"], low=2)
    assert decide(snapshot, MORTAL).victims == ()


# Consolidation.


@pytest.mark.parametrize(
    ("gain", "price", "victims"),
    [
        pytest.param(2.0, 0.0, ["i-0a", "i-0c"], id="two nodes are worth it"),
        pytest.param(3.0, 0.0, [], id="not for fewer than three"),
        pytest.param(1.0, 0.5, ["i-0a", "i-0c"], id="in price where there is one"),
        pytest.param(1.5, 0.5, [], id="too little is saved"),
    ],
)
def test_half_empty_nodes_are_emptied_together_when_that_gains_enough(
    gain: float, price: float, victims: list[str]
) -> None:
    containers = [each for letter in "abc" for each in movable(letter, on=f"i-0{letter}")]
    policy = replace(POLICY, consolidation=Consolidation(gain))
    assert list(decide(three(containers=containers, pool=a_pool(price=price)), policy).victims) == victims


def test_without_consolidation_half_empty_nodes_stay() -> None:
    containers = [each for letter in "abc" for each in movable(letter, on=f"i-0{letter}")]
    assert decide(three(containers=containers)).victims == ()


def test_what_can_not_move_is_never_consolidated() -> None:
    containers = [a_container(letter, on=f"i-0{letter}", cpus=0.2) for letter in "abc"]
    assert decide(three(containers=containers), replace(POLICY, consolidation=Consolidation(1.0))).victims == ()


def test_unhealthy_or_unknown_contents_keep_a_node() -> None:
    snapshot = replace(three(), nodes=[replace(each, containers=1) for each in three().nodes])
    assert decide(snapshot, replace(POLICY, consolidation=Consolidation(1.0))).victims == ()


def test_a_request_for_what_would_go_keeps_it() -> None:
    decision = decide(three(pending=[a_request("new")]))
    assert (decision.victims, decision.capped_by) == ((), Guard.PENDING)


def test_nodes_with_no_capacity_are_no_obstacle() -> None:
    odd = a_node("i-0z", capacity=Resources(), created_at=YOUNG)
    assert "i-0z" in decide(a_snapshot(a_node("i-0a"), odd, low=0)).victims


# When time alone will change the answer.


@pytest.mark.parametrize(
    ("policy", "again_at"),
    [
        pytest.param(POLICY, None, id="nothing changes by itself"),
        pytest.param(replace(POLICY, max_node_age_s=NOW), YOUNG + NOW, id="when a node expires"),
        pytest.param(replace(POLICY, max_lifetime_s=NOW), YOUNG + NOW, id="when a node has lived long enough"),
        pytest.param(replace(POLICY, image_id="ami-1"), NOW + 3600, id="an image may change"),
        pytest.param(
            replace(POLICY, arrival_headroom=ArrivalHeadroom(percent=100)), NOW + 60, id="remembered arrivals decay"
        ),
    ],
)
def test_a_pool_that_fits_is_looked_at_again_when_time_alone_may_let_a_node_go(
    policy: Policy, again_at: float | None
) -> None:
    peak = ArrivalPeak(resources(6, 0), resources(1, 0), NOW)
    containers = [a_container(letter, on=f"i-0{letter}", cpus=1.7) for letter in "ab"]
    nodes = [a_node(f"i-0{letter}", created_at=YOUNG) for letter in "ab"]
    nodes += [] if policy.arrival_headroom is None else [a_node(f"i-0{letter}") for letter in "cde"]
    state = ScalingState(WORKERS, arrivals=peak)
    decision = decide(a_snapshot(*nodes, containers=containers, high=9, state=state), policy)
    assert (decision.direction, decision.recheck_at) == (Direction.NONE, again_at)
