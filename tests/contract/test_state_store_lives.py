"""A container's life and its moves, as every StateStore promises them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Container,
    ContainerState,
    Node,
    Save,
    Snapshot,
)
from swarmkeeper.errors import Conflict, InvariantBroken, NameTaken, NodeChanged
from swarmkeeper.ports import StateStore
from tests.contract.acts import LATER, NOW, assert_totals_are_the_sum, moving, now_stored, placed, running, with_node
from tests.fakes.builders import a_limit, a_node, a_request


# A container's life.
def test_confirmed_is_running_with_its_engine_id_and_no_reason(store: StateStore) -> None:
    node = with_node(store)
    waiting = store.explain(placed(store, node), reason="waiting for its image")
    confirmed = store.confirm(waiting, engine_id="engine-1", now=NOW)
    assert confirmed == replace(
        waiting, state=ContainerState.RUNNING, engine_id="engine-1", reason="", started_at=NOW, version=2
    )
    assert store.container(confirmed.name) == confirmed


def test_only_a_reserved_one_is_confirmed(store: StateStore) -> None:
    container = running(store, with_node(store))
    with pytest.raises(Conflict):
        store.confirm(container, engine_id="engine-2", now=NOW)


def test_explained_changes_the_reason_and_gives_the_lease_back(store: StateStore) -> None:
    container = placed(store, with_node(store))
    explained = store.explain(container, reason="waiting for its image")
    assert explained == replace(container, reason="waiting for its image", lease_until=0.0, version=1)
    assert store.container(container.name) == explained


def test_refusals_are_counted_until_it_runs(store: StateStore) -> None:
    node = with_node(store)
    waiting = store.unplace(placed(store, node), reason="no", rests_until=NOW + 20)
    assert (waiting.refusals, waiting.rests_until) == (1, NOW + 20)
    again = store.reserve(
        waiting.request, now_stored(store, node), a_limit(node, waiting.request), now=NOW, pending=waiting
    )
    assert store.container(again.name) == again
    waiting = store.unplace(again, reason="no", rests_until=NOW + 60)
    assert (waiting.refusals, store.pending()) == (2, (waiting,))
    last = store.reserve(
        waiting.request, now_stored(store, node), a_limit(node, waiting.request), now=NOW, pending=waiting
    )
    ran = store.confirm(last, engine_id="e-1", now=NOW)
    assert (ran.refusals, ran.rests_until, store.container(ran.name)) == (0, 0.0, ran)


@pytest.mark.parametrize("confirmed", [False, True], ids=["reserved", "running"])
def test_unplaced_waits_again_with_its_age_and_frees_its_room(store: StateStore, confirmed: bool) -> None:
    node = with_node(store)
    container = running(store, node) if confirmed else placed(store, node)
    waiting = store.unplace(container, reason="its node was lost")
    assert waiting == Container(
        a_request(),
        ContainerState.PENDING,
        NOW,
        reason="its node was lost",
        started_at=container.started_at,
        version=container.version + 1,
    )
    assert store.pending() == (waiting,)
    assert store.containers_on(node.id) == ()
    assert now_stored(store, node) == replace(node, revision=3 if confirmed else 2)


def test_a_lease_shuts_out_whoever_held_the_record_before(store: StateStore) -> None:
    before = placed(store, with_node(store))
    leased = store.lease(before, until=LATER)
    assert leased == replace(before, lease_until=LATER, version=1)
    with pytest.raises(Conflict):
        store.lease(before, until=LATER)
    with pytest.raises(Conflict):
        store.confirm(before, engine_id="e", now=NOW)
    assert store.confirm(leased, engine_id="e", now=NOW).lease_until == 0.0


def test_what_ran_before_keeps_the_time_when_it_started(store: StateStore) -> None:
    node = with_node(store)
    waiting = store.unplace(running(store, node), reason="its node was lost")
    request = a_request()
    again = store.reserve(request, now_stored(store, node), a_limit(node, request), now=LATER)
    assert (again.started_at, again.requested_at) == (NOW, waiting.requested_at)
    assert store.confirm(again, engine_id="e", now=LATER).started_at == NOW


def test_what_stands_between_two_states_is_unsettled_once_its_lease_is_over(store: StateStore) -> None:
    node, other = with_node(store), with_node(store, a_node("i-0b", address="10.42.0.11"))
    reserved = placed(store, node)
    running(store, node, "web-2")
    removing = store.begin_removal(running(store, node, "web-3"))
    request = a_request()
    moving_one = store.begin_move(running(store, node, "web-4"), other, a_limit(other, request))
    store.park(a_request("web-5"), reason="full", now=NOW)
    assert store.unsettled(now=NOW) == (removing, moving_one)
    assert store.unsettled(now=reserved.lease_until) == (reserved, removing, moving_one)
    waiting = store.explain(reserved, reason="waiting for its image")
    assert store.unsettled(now=NOW) == (waiting, removing, moving_one)


def test_a_pending_one_has_nothing_to_give_back(store: StateStore) -> None:
    with_node(store)
    with pytest.raises(Conflict):
        store.unplace(store.park(a_request(), reason="full", now=NOW), reason="again")


def test_a_removed_one_holds_its_room_until_it_is_released(store: StateStore) -> None:
    node = with_node(store)
    removing = store.begin_removal(running(store, node))
    assert removing.state is ContainerState.REMOVING
    assert store.containers_on(node.id) == (removing,)
    with pytest.raises(NameTaken):
        placed(store, node)
    store.release(removing)
    assert store.container(removing.name) is None
    assert now_stored(store, node) == replace(node, revision=3)


def test_removal_can_begin_again(store: StateStore) -> None:
    removing = store.begin_removal(placed(store, with_node(store)))
    assert store.begin_removal(removing) == replace(removing, version=removing.version + 1)


def test_a_pending_one_is_released_at_once(store: StateStore) -> None:
    store.release(store.park(a_request("a"), reason="full", now=NOW))
    removing = store.begin_removal(store.park(a_request("b"), reason="full", now=NOW))
    assert store.pending() == ()
    store.release(removing)
    assert store.containers() == ()


def test_containers_are_listed_by_name(store: StateStore) -> None:
    node = with_node(store)
    for name in ("c", "a"):
        placed(store, node, name)
    store.park(a_request("b"), reason="full", now=NOW)
    assert [one.name for one in store.containers()] == ["a", "b", "c"]
    assert [one.name for one in store.containers_on(node.id)] == ["a", "c"]


def test_whatever_was_read_before_a_change_is_refused(store: StateStore) -> None:
    node, target = with_node(store), with_node(store, a_node("i-0b"))
    old = placed(store, node)
    current = store.explain(old, reason="waiting for its image")
    for act in (
        lambda: store.confirm(old, engine_id="engine-1", now=NOW),
        lambda: store.explain(old, reason="other"),
        lambda: store.unplace(old, reason="other"),
        lambda: store.begin_removal(old),
        lambda: store.begin_move(old, target, a_limit(target, a_request())),
        lambda: store.release(old),
    ):
        with pytest.raises(Conflict):
            act()
    assert store.containers() == (current,)
    assert_totals_are_the_sum(store)


def test_an_unknown_container_is_none_and_refused(store: StateStore) -> None:
    ghost = Container(a_request(), ContainerState.RESERVED, NOW, node=with_node(store).id)
    assert store.container(ghost.name) is None
    with pytest.raises(Conflict):
        store.release(ghost)


# Moves.
def test_a_moved_one_holds_room_on_both_nodes_until_it_has_moved(store: StateStore) -> None:
    source, target = with_node(store), with_node(store, a_node("i-0b"))
    begun = moving(store, source, target)
    assert (begun.node, begun.moving_to) == (source.id, target.id)
    assert store.containers_on(source.id) == store.containers_on(target.id) == (begun,)
    assert_totals_are_the_sum(store)
    moved = store.finish_move(begun, engine_id="engine-2")
    assert (moved.node, moved.moving_to, moved.engine_id) == (target.id, None, "engine-2")
    assert moved.state is ContainerState.RUNNING
    assert now_stored(store, source) == replace(source, revision=3)
    assert store.containers_on(target.id) == (moved,)
    assert_totals_are_the_sum(store)


def test_a_cancelled_move_leaves_it_where_it_was(store: StateStore) -> None:
    source, target = with_node(store), with_node(store, a_node("i-0b"))
    begun = moving(store, source, target)
    stayed = store.cancel_move(begun)
    assert (stayed.node, stayed.moving_to) == (source.id, None)
    assert now_stored(store, target) == replace(target, revision=2)
    assert_totals_are_the_sum(store)


@pytest.mark.parametrize("end", ["unplace", "release"])
def test_what_ends_in_mid_move_frees_both_nodes(store: StateStore, end: str) -> None:
    source, target = with_node(store), with_node(store, a_node("i-0b"))
    begun = moving(store, source, target)
    if end == "unplace":
        assert store.unplace(begun, reason="lost").moving_to is None
    else:
        store.release(store.begin_removal(begun))
    assert store.nodes() == (replace(source, revision=3), replace(target, revision=2))


def test_a_move_is_begun_once_and_ended_once(store: StateStore) -> None:
    source, target = with_node(store), with_node(store, a_node("i-0b"))
    third = with_node(store, a_node("i-0c"))
    begun = moving(store, source, target)
    with pytest.raises(Conflict):
        store.begin_move(begun, third, a_limit(third, a_request()))
    moved = store.finish_move(begun, engine_id="engine-2")
    for ended in (begun, moved):
        with pytest.raises(Conflict):
            store.finish_move(ended, engine_id="engine-3")
        with pytest.raises(Conflict):
            store.cancel_move(ended)
    assert_totals_are_the_sum(store)


# Saves of a container's own layer.
SNAPSHOT = Snapshot("registry.example:5000/snapshots/acme/web-1@sha256:1", taken_at=NOW + 0.5)
SENT = Save("00000000000000aa", "command-1", stopped_at=NOW + 0.5, until=NOW + 60)


def saving(store: StateStore, source: Node, target: Node) -> Container:
    request = a_request()
    return store.begin_move(
        running(store, source), target, a_limit(target, request), lease_until=LATER, save=Save(SENT.move_id)
    )


def test_a_save_is_read_as_it_was_noted_and_gives_the_lease_back(store: StateStore) -> None:
    begun = saving(store, with_node(store), with_node(store, a_node("i-0b")))
    assert store.container(begun.name) == begun
    assert (begun.save, begun.lease_until) == (Save(SENT.move_id), LATER)
    sent = store.note_save(begun, SENT)
    assert store.container(begun.name) == sent == replace(begun, save=SENT, lease_until=0.0, version=begun.version + 1)
    done = store.note_save(sent, replace(SENT, is_done=True), snapshot=SNAPSHOT, lease_until=LATER)
    assert store.container(begun.name) == done
    assert (done.snapshot, done.is_saved, done.image, done.lease_until) == (SNAPSHOT, True, SNAPSHOT.image, LATER)
    void = store.note_save(done, replace(SENT, is_done=True, void="it was taken back"))
    assert store.container(begun.name) == void
    assert (void.snapshot, void.is_saved) == (SNAPSHOT, False)


def test_a_save_is_noted_by_one_of_those_that_meet(store: StateStore) -> None:
    begun = saving(store, with_node(store), with_node(store, a_node("i-0b")))
    store.note_save(begun, SENT)
    with pytest.raises(Conflict):
        store.note_save(begun, SENT)


@pytest.mark.parametrize("end", ["finish_move", "cancel_move", "unplace"])
def test_the_snapshot_outlives_the_move_and_the_save_does_not_unless_it_was_cancelled(
    store: StateStore, end: str
) -> None:
    begun = saving(store, with_node(store), with_node(store, a_node("i-0b")))
    done = store.note_save(begun, replace(SENT, is_done=True), snapshot=SNAPSHOT)
    ended = {
        "finish_move": lambda: store.finish_move(done, engine_id="engine-2"),
        "cancel_move": lambda: store.cancel_move(done),
        "unplace": lambda: store.unplace(done, reason="its node is lost"),
    }[end]()
    assert store.container(begun.name) == ended
    assert ended.snapshot == SNAPSHOT
    assert ended.save == (replace(SENT, is_done=True) if end == "cancel_move" else None)
    assert_totals_are_the_sum(store)


def test_a_move_to_its_own_node_is_a_bug(store: StateStore) -> None:
    node = with_node(store)
    container = running(store, node)
    with pytest.raises(InvariantBroken):
        store.begin_move(container, node, a_limit(node, a_request()))


def test_a_target_without_room_or_changed_refuses_the_move(store: StateStore) -> None:
    source, full = with_node(store), with_node(store, a_node("i-0b", slots=0))
    container = running(store, source)
    with pytest.raises(NodeChanged) as refused:
        store.begin_move(container, full, a_limit(full, a_request()))
    assert refused.value.actual == full
    drained = store.save_node(replace(full, slots=4, state=NodeState.DRAINING))
    with pytest.raises(NodeChanged) as refused:
        store.begin_move(container, full, a_limit(drained, a_request()))
    assert refused.value.actual == drained
    assert store.container(container.name) == container
