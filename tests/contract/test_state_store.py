"""Reservations and pending ones, as every StateStore promises them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Container,
    ContainerName,
    ContainerState,
    Resources,
)
from swarmkeeper.errors import Conflict, NameTaken, NodeChanged
from swarmkeeper.ports import RESERVATION_LEASE_S, StateStore
from tests.contract.acts import LATER, NOW, assert_totals_are_the_sum, now_stored, placed, with_node
from tests.fakes.builders import a_limit, a_node, a_request


# Reservations.
def test_a_reservation_is_stored_and_counted(store: StateStore) -> None:
    node = with_node(store)
    container = placed(store, node)
    lease_until = NOW + RESERVATION_LEASE_S
    assert container == Container(a_request(), ContainerState.RESERVED, NOW, node=node.id, lease_until=lease_until)
    assert store.container(container.name) == container
    assert store.containers_on(node.id) == (container,)
    assert_totals_are_the_sum(store)


def test_a_reservation_changes_no_epoch(store: StateStore) -> None:
    node = with_node(store)
    placed(store, node)
    assert now_stored(store, node).epoch == node.epoch


def test_a_request_is_read_as_it_was_stored(store: StateStore) -> None:
    node = with_node(store)
    request = replace(
        a_request(movable=True, constraints=("zone==a", "disk!=~slow")), body='{"Env":["A=ü"]}', tenant="", network=""
    )
    stored = store.reserve(request, node, a_limit(node, request), now=NOW)
    assert store.container(request.name) == stored
    assert stored.request == request


@pytest.mark.parametrize("first_on", ["i-0a", "i-0b"])
def test_a_name_is_taken_once_whatever_the_order(store: StateStore, first_on: str) -> None:
    nodes = {node_id: with_node(store, a_node(node_id)) for node_id in ("i-0a", "i-0b")}
    first = placed(store, nodes.pop(first_on))
    (other,) = nodes.values()
    with pytest.raises(NameTaken):
        placed(store, other)
    with pytest.raises(NameTaken):
        store.park(a_request(cpus=1), reason="full", now=LATER)
    assert store.containers() == (first,)
    assert now_stored(store, other).containers == 0


def test_a_pending_name_is_taken_for_another_request(store: StateStore) -> None:
    node = with_node(store)
    parked = store.park(a_request(), reason="full", now=NOW)
    other = a_request(cpus=1)
    with pytest.raises(NameTaken):
        store.reserve(other, node, a_limit(node, other), now=LATER)
    with pytest.raises(NameTaken):
        store.park(other, reason="full", now=LATER)
    assert store.container(parked.name) == parked


def test_the_same_reservation_delivered_twice_counts_once(store: StateStore) -> None:
    node = with_node(store)
    first = placed(store, node)
    with pytest.raises(NameTaken):
        placed(store, node)
    running_one = store.confirm(first, engine_id="engine-1", now=NOW)
    with pytest.raises(NameTaken):
        placed(store, node)
    assert store.containers() == (running_one,)
    assert_totals_are_the_sum(store)


def test_a_released_name_can_be_reserved_again_at_once(store: StateStore) -> None:
    node = with_node(store)
    for _ in range(2):
        store.release(placed(store, node))
    again = placed(store, node)
    assert store.containers_on(node.id) == (again,)
    assert_totals_are_the_sum(store)


@pytest.mark.parametrize(
    "renew",
    [
        pytest.param(lambda store: placed(store, a_node(), at=LATER), id="later"),
        pytest.param(lambda store: placed(store, a_node("i-0b")), id="on another node"),
        pytest.param(lambda store: placed(store, a_node(), movable=True), id="for another request"),
        pytest.param(lambda store: store.park(a_request(), reason="full", now=NOW), id="as pending"),
    ],
)
def test_a_record_of_an_earlier_life_of_the_name_changes_nothing(
    store: StateStore, renew: Callable[[StateStore], Container]
) -> None:
    node, _ = with_node(store), with_node(store, a_node("i-0b"))
    earlier = placed(store, node)
    store.release(earlier)
    later = renew(store)
    with pytest.raises(Conflict):
        store.confirm(earlier, engine_id="engine-1", now=NOW)
    with pytest.raises(Conflict):
        store.release(earlier)
    assert store.container(later.name) == later
    assert_totals_are_the_sum(store)


def test_the_loser_of_the_last_slot_sees_the_true_totals(store: StateStore) -> None:
    node = with_node(store, a_node(slots=1))
    placed(store, node, "web-1")
    with pytest.raises(NodeChanged) as refused:
        placed(store, node, "web-2")
    assert refused.value.actual == replace(node, reserved=a_request().reservation, containers=1, revision=1)
    assert store.container(ContainerName("web-2")) is None


@pytest.mark.parametrize("short", [Resources(nano_cpus=1), Resources(memory_bytes=1)], ids=["CPU", "memory"])
def test_room_is_exact(store: StateStore, short: Resources) -> None:
    request = a_request()
    for node_id, capacity in (("i-fits", request.reservation), ("i-short", request.reservation - short)):
        with_node(store, a_node(node_id, capacity=capacity))
    short_node = now_stored(store, a_node("i-short"))
    with pytest.raises(NodeChanged):
        store.reserve(request, short_node, a_limit(short_node, request), now=NOW)
    fitting = now_stored(store, a_node("i-fits"))
    assert store.reserve(request, fitting, a_limit(fitting, request), now=NOW).node == "i-fits"


@pytest.mark.parametrize(
    "change", [{"state": NodeState.DRAINING}, {"health": 0}], ids=["drained meanwhile", "changed meanwhile"]
)
def test_a_node_that_changed_meanwhile_refuses(store: StateStore, change: dict[str, object]) -> None:
    node = with_node(store)
    changed = store.save_node(replace(node, **change))  # type: ignore[arg-type]  # the table above names the fields
    with pytest.raises(NodeChanged) as refused:
        placed(store, node)
    assert refused.value.actual == changed
    assert store.containers() == ()


def test_an_unknown_or_buried_node_refuses(store: StateStore) -> None:
    with pytest.raises(NodeChanged) as refused:
        placed(store, a_node("i-none"))
    assert refused.value.actual is None
    node = with_node(store)
    tombstone = store.bury_node(node, expires_at=LATER)
    with pytest.raises(NodeChanged) as refused:
        placed(store, node)
    assert refused.value.actual == tombstone


def test_a_taken_name_is_said_before_a_changed_node(store: StateStore) -> None:
    node = with_node(store)
    placed(store, node)
    store.save_node(replace(node, state=NodeState.DRAINING))
    with pytest.raises(NameTaken):
        placed(store, node)


# Pending.
def test_pending_ones_are_listed_oldest_first_and_keep_their_age(store: StateStore) -> None:
    for name, at in (("c", NOW), ("a", NOW + 1e9), ("b", 99.5)):
        store.park(a_request(name), reason="full", now=at)
    renewed = store.park(a_request("c"), reason="still full", now=LATER)
    assert (renewed.requested_at, renewed.reason, renewed.version) == (NOW, "still full", 1)
    assert [one.name for one in store.pending()] == ["b", "c", "a"]
    assert renewed in store.pending()


def test_parking_again_for_the_same_reason_changes_nothing(store: StateStore) -> None:
    parked = store.park(a_request(), reason="full", now=NOW)
    assert store.park(a_request(), reason="full", now=LATER) == parked
    assert store.pending() == (parked,)


def test_a_pending_one_is_placed_with_its_age(store: StateStore) -> None:
    node = with_node(store)
    store.park(a_request(), reason="full", now=NOW)
    request = a_request()
    container = store.reserve(request, node, a_limit(node, request), now=LATER)
    lease_until = LATER + RESERVATION_LEASE_S
    assert container == Container(
        request, ContainerState.RESERVED, NOW, node=node.id, lease_until=lease_until, version=1
    )
    assert store.container(container.name) == container
    assert store.pending() == ()
    assert_totals_are_the_sum(store)


def test_a_pending_one_stays_when_the_node_refuses_it(store: StateStore) -> None:
    node = with_node(store, a_node(capacity=Resources()))
    parked = store.park(a_request(), reason="full", now=NOW)
    with pytest.raises(NodeChanged) as refused:
        placed(store, node)
    assert refused.value.actual == node
    assert store.pending() == (parked,)
