from __future__ import annotations

import json
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Hook, Node, NodeId, Role, Rules
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision, decide_fleet
from swarmkeeper.domain.scaling.guards import Guard, Limits
from swarmkeeper.domain.scaling.policy import Policy
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

POLICY = Policy(options(), limits=Limits(out_cooldown_s=30, in_cooldown_s=60, removals_window_s=60))
HOOK = Hook("demo-workers", "leave", "token", NOW + 600)


def decide(snapshot: FleetSnapshot, policy: Policy = POLICY) -> ScalingDecision:
    (decision,) = decide_fleet(snapshot, {pool.name: policy for pool in snapshot.pools}, NOW)
    return decision


# Out.


def test_what_is_pending_buys_the_nodes_that_hold_it() -> None:
    pending = [a_request(f"new-{number}", cpus=1.2, memory_mib=0) for number in range(2)]
    decision = decide(a_snapshot(a_node(reserved=resources(1.1, 0)), pending=pending))
    assert (decision.direction, decision.desired, decision.wish) == (Direction.OUT, 3, 3)
    assert decision.capped_by is None


def test_containers_that_must_stand_apart_buy_a_node_each() -> None:
    apart = Rules(affinities=("app!=web",))
    pending = [replace(a_request(f"new-{number}"), rules=apart, labels={"app": "web"}) for number in range(2)]
    held = a_container("old", on="i-0a")
    held = replace(held, request=replace(held.request, labels={"app": "web"}))
    assert decide(a_snapshot(a_node("i-0a"), containers=[held], pending=pending)).desired == 3


def test_a_pool_that_reaches_its_high_share_grows_until_it_is_below() -> None:
    nodes = [a_node(f"i-0{number}", reserved=resources(2, 0)) for number in range(2)]
    decision = decide(a_snapshot(*nodes))
    assert (decision.direction, decision.desired) == (Direction.OUT, 3)


def test_max_caps_the_wish_and_asks_again() -> None:
    pending = [a_request(f"new-{number}", cpus=1.5) for number in range(6)]
    decision = decide(a_snapshot(a_node(), pending=pending, high=3))
    assert (decision.desired, decision.capped_by, decision.recheck_at) == (3, Guard.MAX, NOW + 60)
    assert decision.wish > 3


def test_a_cooldown_defers_and_names_its_end() -> None:
    state = ScalingState(WORKERS, last_out_at=NOW - 10)
    decision = decide(a_snapshot(a_node(reserved=resources(2, 0)), pending=[a_request()], state=state))
    assert (decision.direction, decision.capped_by, decision.recheck_at) == (
        Direction.NONE,
        Guard.OUT_COOLDOWN,
        NOW + 20,
    )
    assert decision.wish > decision.desired


@pytest.mark.parametrize(
    "snapshot",
    [
        pytest.param(a_snapshot(a_node(reserved=resources(1.5, 0)), pending=[a_request(cpus=1)], desired=2), id="owed"),
        pytest.param(
            a_snapshot(
                a_node(reserved=resources(1.5, 0)),
                a_node("i-0b", state=NodeState.JOINING, capacity=resources()),
                pending=[a_request(cpus=1)],
            ),
            id="joining",
        ),
    ],
)
def test_a_node_on_its_way_is_not_bought_again(snapshot: FleetSnapshot) -> None:
    assert decide(snapshot).direction is Direction.NONE


def test_an_instance_that_is_being_ended_does_not_make_the_pool_buy_two() -> None:
    # Its termination has lowered desired already, its hook has not been heard of.
    dying = a_node("i-0b", state=NodeState.DRAINING)
    pending = [a_request(cpus=1.2, memory_mib=0)]
    decision = decide(a_snapshot(a_node(reserved=resources(1.2, 0)), dying, pending=pending, desired=1))
    assert (decision.desired, decision.reclaimed) == (2, ())


def test_what_no_node_of_the_pool_could_hold_buys_nothing_and_is_told() -> None:
    decision = decide(a_snapshot(a_node(), pending=[a_request("huge", cpus=64)]))
    assert decision.direction is Direction.NONE
    assert [name for name, _ in decision.unplaceable] == ["huge"]


def test_a_draining_node_is_taken_back_before_one_is_bought() -> None:
    draining = a_node("i-0b", state=NodeState.DRAINING)
    snapshot = a_snapshot(
        a_node("i-0a"),
        draining,
        containers=[a_container("a", on="i-0a", cpus=1.5), a_container("b", on="i-0b", cpus=0.2)],
        pending=[a_request("new", cpus=1, memory_mib=0)],
        state=ScalingState(WORKERS, last_out_at=NOW - 1),
    )
    decision = decide(snapshot)
    assert (decision.direction, decision.desired, decision.reclaimed) == (Direction.OUT, 2, (NodeId("i-0b"),))


@pytest.mark.parametrize("state", [NodeState.DRAINING, NodeState.READY])
def test_a_move_that_has_begun_counts_on_its_target_only(state: NodeState) -> None:
    """Once the node is taken back, and before: whichever way the move ends, one of the two places is free then."""
    moving = [a_container(f"m{number}", on="i-0b", cpus=0.5, movable=True, moving_to="i-0a") for number in range(2)]
    staying = [a_container(f"s{number}", on="i-0a", cpus=0.5) for number in range(2)]
    snapshot = a_snapshot(
        a_node("i-0a"),
        a_node("i-0b", state=state),
        containers=[*moving, *staying],
        pending=[a_request(f"new-{number}", cpus=0.5, memory_mib=0) for number in range(4)],
    )
    decision = decide(snapshot, replace(POLICY, reserved_high=1.0))
    assert decision.desired == 2
    assert decision.reclaimed == ((NodeId("i-0b"),) if state is NodeState.DRAINING else ())


@pytest.mark.parametrize("target", [a_node("i-0c", state=NodeState.LOST), None])
def test_a_move_to_a_node_that_is_not_in_service_counts_where_it_began(target: Node | None) -> None:
    moving = a_container("moving", on="i-0a", cpus=1.5, movable=True, moving_to="i-0c")
    nodes = [a_node("i-0a"), *([] if target is None else [target])]
    decision = decide(a_snapshot(*nodes, containers=[moving], pending=[a_request("new", cpus=1)], desired=1))
    assert decision.desired == 2


@pytest.mark.parametrize(
    "draining",
    [
        pytest.param(a_node("i-0b", state=NodeState.DRAINING, hook=HOOK, containers=1), id="its instance is ending"),
        pytest.param(a_node("i-0b", state=NodeState.DRAINING), id="it may be ending: it is empty"),
        pytest.param(a_node("i-0b", state=NodeState.DRAINING, containers=1, capacity=resources(1, 0)), id="no help"),
    ],
)
def test_a_draining_node_that_can_not_help_is_not_taken_back(draining: object) -> None:
    assert isinstance(draining, type(a_node()))
    snapshot = a_snapshot(a_node(reserved=resources(1.5, 0)), draining, pending=[a_request(cpus=1.5)], desired=2)
    assert decide(snapshot).reclaimed == ()


def test_movable_containers_of_a_node_that_ends_are_demand() -> None:
    ending = a_node("i-0b", state=NodeState.DRAINING, hook=HOOK)
    containers = [a_container("a", on="i-0a", cpus=1.2), a_container("b", on="i-0b", cpus=1.2, movable=True)]
    decision = decide(a_snapshot(a_node("i-0a"), ending, containers=containers, desired=1))
    assert (decision.direction, decision.desired) == (Direction.OUT, 2)


# In.


def test_the_oldest_empty_node_beyond_need_goes() -> None:
    snapshot = a_snapshot(a_node("i-0a", created_at=2), a_node("i-0b", created_at=1))
    decision = decide(snapshot)
    assert (decision.direction, decision.desired, decision.victims) == (Direction.IN, 1, (NodeId("i-0b"),))


def test_the_fuse_limits_removals_and_the_rest_is_asked_again() -> None:
    decision = decide(a_snapshot(*(a_node(f"i-0{number}") for number in range(4))))
    assert (len(decision.victims), decision.wish, decision.capped_by) == (1, 0, Guard.FUSE)
    assert decision.recheck_at == NOW + 60


def test_min_is_kept_without_asking_again_and_again() -> None:
    decision = decide(a_snapshot(a_node()))
    assert (decision.direction, decision.victims, decision.recheck_at) == (Direction.NONE, (), None)
    assert (decision.wish, decision.capped_by) == (0, Guard.MIN)


def test_the_last_nodes_that_serve_are_not_sold_while_another_is_lost() -> None:
    lost = a_node("i-0a", state=NodeState.LOST, containers=1)
    assert decide(a_snapshot(lost, a_node("i-0b"))).victims == ()
    assert decide(a_snapshot(replace(lost, state=NodeState.READY), a_node("i-0b"))).victims == ("i-0b",)


def test_nodes_that_drain_already_count_against_min() -> None:
    snapshot = a_snapshot(a_node("i-0a"), a_node("i-0b"), a_node("i-0c", state=NodeState.DRAINING), low=2)
    assert decide(snapshot).victims == ()


def test_growing_starts_the_cooldown_of_shrinking() -> None:
    state = ScalingState(WORKERS, last_out_at=NOW - 20)
    decision = decide(a_snapshot(a_node("i-0a"), a_node("i-0b"), state=state))
    assert (decision.direction, decision.victims, decision.capped_by) == (Direction.NONE, (), Guard.IN_COOLDOWN)
    assert (decision.desired, decision.recheck_at) == (2, NOW + 40)


@pytest.mark.parametrize(
    ("request_", "victims"),
    [
        pytest.param(a_request(cpus=0.5), 0, id="fits and will be placed any moment"),
        pytest.param(a_request(constraints=("node==i-0b",)), 0, id="waits for this very node"),
        pytest.param(a_request(cpus=64), 1, id="could never be held"),
    ],
)
def test_nothing_is_removed_while_something_waits_that_the_pool_could_hold(request_: object, victims: int) -> None:
    assert isinstance(request_, type(a_request()))
    decision = decide(a_snapshot(a_node("i-0a"), a_node("i-0b"), pending=[request_]))
    assert len(decision.victims) == victims
    assert (decision.capped_by is Guard.PENDING) is (victims == 0)


def test_nothing_more_is_removed_before_what_drains_has_found_room() -> None:
    containers = [
        a_container("a", on="i-0a", cpus=1.5),
        a_container("b", on="i-0c", cpus=1.5, movable=True),
    ]
    snapshot = a_snapshot(
        a_node("i-0a"), a_node("i-0b"), a_node("i-0c", state=NodeState.DRAINING), containers=containers
    )
    assert decide(snapshot).victims == ()


def test_a_suspended_terminate_process_keeps_all() -> None:
    decision = decide(a_snapshot(a_node("i-0a"), a_node("i-0b"), suspended=frozenset({"Terminate"})))
    assert (decision.victims, decision.capped_by) == ((), Guard.SUSPENDED)


# Failed pools and others.


def failed(since: float) -> ScalingState:
    return ScalingState(WORKERS, failed_since=since, abandoned_in_a_row=3, last_out_at=NOW - 1)


def test_a_failed_pool_is_lowered_to_what_is_there() -> None:
    snapshot = a_snapshot(a_node(reserved=resources(2, 0)), pending=[a_request()], desired=4, state=failed(NOW - 100))
    decision = decide(snapshot)
    assert (decision.direction, decision.desired, decision.victims) == (Direction.IN, 1, ())
    assert (decision.capped_by, decision.recheck_at) == (Guard.FAILED, NOW + 800)


def test_a_failed_pool_is_lowered_without_any_demand_too() -> None:
    decision = decide(a_snapshot(a_node(reserved=resources(1, 0)), desired=3, state=failed(NOW)))
    assert (decision.desired, decision.capped_by) == (1, Guard.FAILED)


def test_a_failed_pool_is_tried_once_when_its_time_has_come() -> None:
    state = replace(failed(NOW - 901), last_out_at=0.0)
    pending = [a_request(f"new-{number}", cpus=1.5) for number in range(3)]
    snapshot = a_snapshot(a_node(reserved=resources(2, 0)), pending=pending, state=state)
    assert (decide(snapshot).desired, decide(snapshot).capped_by) == (2, Guard.FAILED)
    trying = a_snapshot(
        a_node(reserved=resources(2, 0)), a_node("i-0b", state=NodeState.JOINING), pending=pending, state=state
    )
    assert decide(trying).desired == 2


def test_managers_are_only_kept_within_bounds() -> None:
    managers = a_pool(name="managers", role=Role.MANAGER)
    node = a_node(pool="managers", role=Role.MANAGER)
    assert decide(a_snapshot(node, pool=managers, pending=[a_request()])).direction is Direction.NONE
    assert decide(a_snapshot(node, pool=managers, low=3)).desired == 3


def test_a_decision_is_logged_as_plain_values() -> None:
    decision = decide(replace(a_snapshot(a_node("i-0a"), a_node("i-0b", created_at=1)), trigger="demo-pending"))
    logged = decision.to_log()
    assert json.loads(json.dumps(logged)) == logged
    assert (logged["direction"], logged["victims"], logged["trigger"]) == ("in", ["i-0b"], "demo-pending")
