"""Records made anew of what lives, as every StateStore stores them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import NO_RESOURCES, Container, ContainerState, Node, Usage
from swarmkeeper.errors import Conflict, NameTaken, NodeChanged
from swarmkeeper.ports import StateStore
from tests.contract.acts import NOW, assert_totals_are_the_sum, now_stored, placed, running, with_node
from tests.fakes.builders import a_node, a_request


def found(node: Node, **changes: object) -> Container:
    """A container that runs on the node, as its engine tells."""
    container = Container(
        a_request(), ContainerState.RUNNING, NOW, node=node.id, engine_id="engine-web-1", started_at=NOW
    )
    return replace(container, **changes)  # type: ignore[arg-type]  # fields by name


def test_what_is_restored_is_stored_held_and_known_to_placement_by_its_id(store: StateStore) -> None:
    node = with_node(store)
    restored = store.restore(found(node))
    assert restored == found(node)
    assert store.container(restored.name) == restored
    assert store.containers_on(node.id) == (restored,)
    (content,) = store.contents([node.id])
    assert [occupant.id for occupant in content.occupants] == ["engine-web-1"]
    assert now_stored(store, node).revision == node.revision + 1
    assert_totals_are_the_sum(store)


def test_what_lives_is_counted_whatever_room_there_is(store: StateStore) -> None:
    node = with_node(store, a_node(capacity=NO_RESOURCES, slots=0))
    store.restore(found(node))
    assert now_stored(store, node).reserved == a_request().reservation
    assert_totals_are_the_sum(store)


def test_a_name_that_is_known_is_not_restored(store: StateStore) -> None:
    node, other = with_node(store), with_node(store, a_node("i-0b"))
    first = placed(store, node)
    with pytest.raises(NameTaken):
        store.restore(found(other))
    assert store.containers() == (first,)
    assert_totals_are_the_sum(store)


def test_the_same_thing_restored_twice_counts_once(store: StateStore) -> None:
    node = with_node(store)
    store.restore(found(node, counted=True))
    with pytest.raises(NameTaken):
        store.restore(found(node, counted=True))
    assert store.usage("acme").containers == 1
    assert_totals_are_the_sum(store)


@pytest.mark.parametrize("known", ["as a tombstone", "not at all"])
def test_nothing_is_restored_on_a_node_that_is_gone(store: StateStore, known: str) -> None:
    node = a_node()
    if known == "as a tombstone":
        store.bury_node(with_node(store, node), expires_at=NOW + 60)
    with pytest.raises(NodeChanged):
        store.restore(found(node))
    assert store.containers() == ()


def test_what_is_counted_is_released_with_its_tenants_share(store: StateStore) -> None:
    node = with_node(store)
    restored = store.restore(found(node, counted=True))
    reservation = restored.request.reservation
    assert store.usage("acme") == Usage(1, reservation.nano_cpus, reservation.memory_bytes)
    store.release(restored)
    assert store.usage("acme") == Usage()
    assert now_stored(store, node).reserved == NO_RESOURCES


def test_what_runs_takes_the_place_of_the_record_of_another_node(store: StateStore) -> None:
    node, other = with_node(store), with_node(store, a_node("i-0b"))
    before = running(store, node)
    restored = store.restore(found(other), over=before)
    assert (restored.node, restored.version) == (other.id, before.version + 1)
    assert store.containers_on(node.id) == ()
    assert store.containers_on(other.id) == (restored,)
    assert_totals_are_the_sum(store)


def test_what_runs_takes_the_place_of_its_pending_record_and_is_not_counted_twice(store: StateStore) -> None:
    node = with_node(store)
    parked = store.park(a_request(), reason="full", now=NOW)
    counted = store.count(parked)
    assert store.restore(found(node), over=counted).counted
    assert store.usage("acme").containers == 1
    assert store.pending() == ()
    assert_totals_are_the_sum(store)


def test_a_record_that_has_moved_on_is_not_replaced(store: StateStore) -> None:
    node, other = with_node(store), with_node(store, a_node("i-0b"))
    before = running(store, node)
    explained = store.explain(before, reason="its process has ended")
    with pytest.raises(Conflict):
        store.restore(found(other), over=before)
    assert store.container(before.name) == explained
    assert_totals_are_the_sum(store)
