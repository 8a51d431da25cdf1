"""Quotas, and pending records that the caller knows, as every StateStore promises them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import ContainerState, Quota, Usage
from swarmkeeper.errors import Conflict, Contention, NameTaken, NodeChanged, QuotaExceeded
from swarmkeeper.ports import StateStore
from tests.contract.acts import LATER, NOW, now_stored, placed, with_node
from tests.fakes.builders import MIB, a_limit, a_node, a_request

ONE = Usage(1, 500_000_000, 256 * MIB)
TWO = Usage(2, 1_000_000_000, 512 * MIB)
AMPLE = Quota(containers=10)


def test_what_is_accepted_under_a_quota_counts_until_it_is_released(store: StateStore) -> None:
    node = with_node(store)
    held = store.reserve(a_request("a"), node, a_limit(node, a_request()), now=NOW, quota=AMPLE)
    parked = store.park(a_request("b"), reason="full", now=NOW, quota=AMPLE)
    assert store.usage("acme") == TWO
    assert store.usage("others") == Usage()
    store.release(held)
    store.release(parked)
    assert store.usage("acme") == Usage()


def test_what_waits_again_or_is_placed_later_counts_once(store: StateStore) -> None:
    node, request = with_node(store), a_request()
    store.park(request, reason="full", now=NOW, quota=AMPLE)
    placed_later = store.reserve(request, node, a_limit(node, request), now=LATER, quota=AMPLE)
    again = store.unplace(placed_later, reason="lost")
    store.park(request, reason="still lost", now=LATER, quota=AMPLE)
    assert (store.usage("acme"), again.counted) == (ONE, True)


@pytest.mark.parametrize(
    ("quota", "resource"),
    [
        pytest.param(Quota(containers=1), "containers", id="containers"),
        pytest.param(Quota(nano_cpus=999_999_999), "nano_cpus", id="CPU"),
        pytest.param(Quota(memory_bytes=512 * MIB - 1), "memory_bytes", id="memory"),
    ],
)
def test_a_request_beyond_its_quota_is_refused_with_what_is_used_up(
    store: StateStore, quota: Quota, resource: str
) -> None:
    node, request = with_node(store), a_request("b")
    store.reserve(a_request("a"), node, a_limit(node, a_request()), now=NOW, quota=quota)
    with pytest.raises(QuotaExceeded) as refused:
        store.reserve(request, node, a_limit(node, request), now=NOW, quota=quota)
    assert refused.value.resource == resource
    with pytest.raises(QuotaExceeded):
        store.park(request, reason="full", now=NOW, quota=quota)
    assert (store.usage("acme"), store.container(request.name)) == (ONE, None)
    assert now_stored(store, node).containers == 1


def test_a_quota_is_exact(store: StateStore) -> None:
    node = with_node(store)
    exact = Quota(containers=2, nano_cpus=1_000_000_000, memory_bytes=512 * MIB)
    for name in ("a", "b"):
        store.reserve(a_request(name), node, a_limit(node, a_request()), now=NOW, quota=exact)
    assert store.usage("acme") == TWO


def test_a_quota_of_nothing_refuses_the_first_request(store: StateStore) -> None:
    node = with_node(store)
    with pytest.raises(QuotaExceeded):
        store.reserve(a_request(), node, a_limit(node, a_request()), now=NOW, quota=Quota(containers=0))


def test_a_taken_name_is_said_before_a_quota_and_a_quota_before_a_changed_node(store: StateStore) -> None:
    node = with_node(store)
    placed(store, node, "a")
    with pytest.raises(NameTaken):
        store.reserve(a_request("a"), node, a_limit(node, a_request()), now=NOW, quota=Quota(containers=0))
    store.save_node(node)
    with pytest.raises(QuotaExceeded):
        store.reserve(a_request("b"), node, a_limit(node, a_request()), now=NOW, quota=Quota(containers=0))


def test_a_pending_request_at_its_quota_can_be_placed(store: StateStore) -> None:
    node, request = with_node(store), a_request()
    store.park(request, reason="full", now=NOW, quota=Quota(containers=1))
    container = store.reserve(request, node, a_limit(node, request), now=LATER, quota=Quota(containers=1))
    assert (container.state, container.counted) == (ContainerState.RESERVED, True)


def test_nothing_is_counted_for_who_has_no_quota(store: StateStore) -> None:
    node = with_node(store)
    container = placed(store, node)
    assert (container.counted, store.usage("acme")) == (False, Usage())
    store.release(container)
    assert store.usage("acme") == Usage()


def test_what_was_accepted_before_there_was_a_quota_can_be_counted(store: StateStore) -> None:
    container = placed(store, with_node(store))
    counted = store.count(container)
    assert counted == replace(container, counted=True, version=1)
    assert store.count(counted) == counted
    assert store.usage("acme") == ONE
    with pytest.raises(Conflict):
        store.count(container)
    store.release(counted)
    assert store.usage("acme") == Usage()


# Pending records that the caller knows.
def test_a_known_pending_record_is_placed(store: StateStore) -> None:
    node, request = with_node(store), a_request()
    pending = store.park(request, reason="full", now=NOW)
    container = store.reserve(request, node, a_limit(node, request), now=LATER, pending=pending)
    assert (container.state, container.requested_at, container.version) == (ContainerState.RESERVED, NOW, 1)


def test_a_pending_record_that_has_changed_is_not_placed(store: StateStore) -> None:
    node, request = with_node(store), a_request()
    pending = store.park(request, reason="full", now=NOW)
    store.park(request, reason="still full", now=NOW)
    with pytest.raises(Contention):
        store.reserve(request, node, a_limit(node, request), now=LATER, pending=pending)
    assert now_stored(store, node) == node


def test_a_full_node_is_said_of_a_known_pending_record(store: StateStore) -> None:
    node, request = with_node(store, a_node(slots=0)), a_request()
    pending = store.park(request, reason="full", now=NOW)
    with pytest.raises(NodeChanged):
        store.reserve(request, node, a_limit(node, request), now=LATER, pending=pending)
    assert store.pending() == (pending,)
