"""The judge finds each way in which an invariant can be broken, and nothing in a fleet at rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local.chaos import judge
from local.chaos.judge import HAS_ENDED
from local.chaos.ledger import Entry, Fate
from local.chaos.snapshot import Amount, Group, OnEngine, Snapshot
from tests.unit.local.chaos.snapshots import (
    a_node,
    accepted,
    at_rest,
    pending,
    running,
    with_container,
    with_engine,
    with_node,
    without_container,
)


def found(seen: Snapshot, asked: list[Entry] | None = None) -> set[tuple[str, str]]:
    return {(one.invariant, one.subject) for one in judge.at_rest(seen, accepted() if asked is None else asked)}


def found_always(seen: Snapshot) -> set[tuple[str, str]]:
    return {(one.invariant, one.subject) for one in judge.always(seen)}


def test_a_fleet_at_rest_breaks_nothing() -> None:
    assert found(at_rest()) == set()


# I1
@pytest.mark.parametrize(
    "offered",
    [pytest.param(Amount(199, 1000), id="cpus"), pytest.param(Amount(1000, 127), id="memory")],
)
def test_more_reserved_than_there_is_breaks_i1(offered: Amount) -> None:
    overfull = replace(a_node("i-1", "a", "b"), capacity=offered)
    assert ("I1", "i-1") in found_always(with_node(at_rest(), overfull))


def test_more_containers_than_slots_break_i1() -> None:
    assert ("I1", "i-1") in found_always(with_node(at_rest(), a_node("i-1", "a", "b", slots=1)))


def test_a_total_that_is_not_the_sum_of_the_reservations_breaks_i1() -> None:
    wrong = replace(a_node("i-1", "a", "b"), reserved=Amount(300, 192, 3))
    assert ("I1", "i-1") in found_always(with_node(at_rest(), wrong))


@pytest.mark.parametrize("state", ["ready", "gone"])
def test_a_reservation_for_nobody_breaks_i1_and_is_a_leak(state: str) -> None:
    seen = with_node(at_rest(), a_node("i-2", "c", "ghost", state=state))
    assert ("I1", "ghost") in found_always(seen)
    assert [one.subject for one in judge.leaked(seen)] == ["ghost"]


def test_a_container_without_a_reservation_breaks_i1() -> None:
    assert ("I1", "c") in found_always(with_node(at_rest(), a_node("i-2")))


def test_a_move_holds_a_reservation_at_both_ends() -> None:
    moving = with_container(at_rest(), running("a", "i-1", moving_to="i-2"))
    assert ("I1", "a") in found_always(moving)
    assert found_always(with_node(moving, a_node("i-2", "c", "a"))) == set()


# I2
def test_a_name_that_runs_twice_breaks_i2() -> None:
    doubled = with_engine(at_rest(), "i-2", OnEngine("c", True), OnEngine("a", True))
    assert ("I2", "a") in found_always(doubled)


def test_a_copy_that_does_not_run_does_not_break_i2() -> None:
    stopped = with_engine(at_rest(), "i-2", OnEngine("c", True), OnEngine("a", False))
    assert found_always(stopped) == set()


# I3
def test_an_accepted_request_that_is_nowhere_breaks_i3() -> None:
    assert found(without_container(at_rest(), "d")) == {("I3", "d")}


def test_a_pending_request_without_a_reason_breaks_i3() -> None:
    assert found(with_container(at_rest(), pending("d", ""))) == {("I3", "d")}


@pytest.mark.parametrize("state", ["reserved", "removing"])
def test_an_accepted_request_that_stays_between_two_states_breaks_i3(state: str) -> None:
    assert ("I3", "a") in found(with_container(at_rest(), replace(running("a", "i-1"), state=state)))


def test_a_removed_container_that_is_still_there_breaks_i3() -> None:
    asked = [*accepted("a", "b", "c"), Entry("d", True, Fate.REMOVED)]
    assert found(at_rest(), asked) == {("I3", "d")}


def test_a_removal_that_did_not_know_the_name_breaks_i3() -> None:
    assert found(at_rest(), [*accepted(), Entry("e", True, Fate.MISSED)]) == {("I3", "e")}


def test_what_was_refused_may_be_nowhere() -> None:
    assert found(at_rest(), [*accepted(), Entry("e", True, Fate.REFUSED)]) == set()


@pytest.mark.parametrize("fate", [Fate.ASKED, Fate.REMOVING])
def test_a_request_to_which_nothing_certain_was_said_breaks_i3(fate: Fate) -> None:
    assert found(at_rest(), [*accepted(), Entry("e", True, fate)]) == {("I3", "e")}


# I4
def test_an_instance_in_service_without_a_node_breaks_i4() -> None:
    group = Group("workers", 3, 1, 4, {**at_rest().groups[0].instances, "i-3": "InService"})
    assert found(replace(at_rest(), groups=(group,))) == {("I4", "i-3")}


@pytest.mark.parametrize("state", ["joined", "lost", "gone"])
def test_an_instance_in_service_whose_node_does_not_serve_breaks_i4(state: str) -> None:
    assert ("I4", "i-2") in found(with_node(at_rest(), a_node("i-2", "c", state=state)))


def test_an_instance_in_service_that_the_swarm_calls_down_breaks_i4() -> None:
    assert found(replace(at_rest(), swarm={"i-1": True, "i-2": False})) == {("I4", "i-2")}


def test_a_node_of_no_instance_in_the_swarm_or_the_table_breaks_i4_and_is_a_ghost() -> None:
    seen = replace(at_rest(), swarm={**at_rest().swarm, "i-9": False})
    assert found(seen) == {("I4", "i-9")}
    assert [one.subject for one in judge.ghosts(seen)] == ["i-9"]
    assert found(with_node(at_rest(), a_node("i-9"))) == {("I4", "i-9")}


def test_a_tombstone_of_no_instance_is_right() -> None:
    assert found(with_node(at_rest(), a_node("i-9", state="gone"))) == set()


# I5
def test_a_movable_container_that_runs_nowhere_breaks_i5() -> None:
    seen = with_engine(at_rest(), "i-2", OnEngine("c", False))
    assert ("I5", "c") in found(seen)


def test_what_was_stopped_with_its_engine_and_only_says_so_is_lost() -> None:
    stopped = with_engine(at_rest(), "i-2", OnEngine("c", False))
    seen = with_container(stopped, running("c", "i-2", reason=HAS_ENDED))
    assert found(seen) == {("I5", "c"), ("I7", "c")}


# I6
@pytest.mark.parametrize("desired", [0, 5])
def test_a_group_that_wants_less_or_more_than_it_may_breaks_i6(desired: int) -> None:
    group = replace(at_rest().groups[0], desired=desired)
    assert found_always(replace(at_rest(), groups=(group,))) == {("I6", "workers")}


# I7
def test_a_container_that_its_engine_does_not_have_breaks_i7() -> None:
    assert ("I7", "c") in found(with_engine(at_rest(), "i-2"))


def test_a_record_that_calls_a_running_container_ended_breaks_i7() -> None:
    assert found(with_container(at_rest(), running("c", "i-2", reason=HAS_ENDED))) == {("I7", "c")}


def test_a_container_that_the_table_does_not_know_breaks_i7_and_is_a_ghost() -> None:
    seen = with_engine(at_rest(), "i-2", OnEngine("c", True), OnEngine("x", True))
    assert found(seen) == {("I7", "x")}
    assert [one.subject for one in judge.ghosts(seen)] == ["x"]


def test_an_old_copy_breaks_i7() -> None:
    assert found(with_engine(at_rest(), "i-2", OnEngine("c", True), OnEngine("a", False))) == {("I7", "a")}


def test_a_copy_that_never_ran_is_left_to_its_own_rule() -> None:
    never = OnEngine("x", False, has_run=False)
    assert found(with_engine(at_rest(), "i-2", OnEngine("c", True), never)) == set()
