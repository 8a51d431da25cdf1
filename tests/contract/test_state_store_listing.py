"""Listings by pages and idempotency tokens, on every store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmkeeper.domain.model import ContainerName
from swarmkeeper.ports import StateStore
from tests.fakes.builders import a_limit, a_node, a_request

NAMES = {f"web-{number:02}" for number in range(7)}


@pytest.fixture
def filled(store: StateStore) -> StateStore:
    """Seven pending containers, and one that holds a reservation on a node."""
    node = a_node()
    store.add_node(node)
    for name in sorted(NAMES):
        store.park(a_request(name), reason="no room", now=1.0)
    request = a_request("placed")
    store.reserve(request, node, a_limit(node, request), now=1.0)
    return store


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_hold_every_container_once(filled: StateStore, limit: int) -> None:
    names: list[str] = []
    page, after = filled.containers_page(limit=limit)
    names += [one.name for one in page]
    while after:
        assert len(page) <= limit
        page, after = filled.containers_page(limit=limit, after=after)
        names += [one.name for one in page]
    assert sorted(names) == sorted(NAMES | {"placed"})


def test_a_listing_goes_on_when_the_container_it_stopped_at_is_gone(filled: StateStore) -> None:
    page, after = filled.containers_page(limit=2)
    seen = {one.name for one in page}
    for one in page:
        filled.release(filled.begin_removal(one))
    while after:
        page, after = filled.containers_page(limit=2, after=after)
        seen |= {one.name for one in page}
    assert seen >= NAMES | {"placed"}


def test_a_token_keeps_what_it_was_first_given_with(store: StateStore) -> None:
    assert store.claim("acme/t-1", "web-1", now=10.0, expires_at=100.0) == "web-1"
    assert store.claim("acme/t-1", "web-2", now=20.0, expires_at=110.0) == "web-1"
    assert store.claim("acme/t-2", "web-2", now=20.0, expires_at=110.0) == "web-2"


def test_a_token_may_be_given_again_once_it_has_expired(store: StateStore) -> None:
    store.claim("acme/t-1", "web-1", now=10.0, expires_at=100.0)
    assert store.claim("acme/t-1", "web-2", now=100.0, expires_at=190.0) == "web-2"
    assert store.claim("acme/t-1", "web-3", now=101.0, expires_at=191.0) == "web-2"


def test_requests_of_the_same_content_and_other_tokens_are_other_requests(store: StateStore) -> None:
    kept = store.park(replace(a_request(), id="t-1"), reason="no room", now=1.0)
    assert store.container(ContainerName("web-1")) == kept
    assert kept.request != replace(a_request(), id="t-2")
