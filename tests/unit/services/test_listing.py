"""Pages of listings: complete, bounded in reads, and never beyond the caller's scope."""

from __future__ import annotations

from swarmkeeper.domain.model import Container, ContainerName, ContainerState, NodeId
from swarmkeeper.edge.tenants import EVERYONE, Scope
from swarmkeeper.services.listing import READS_MAX, Listing, Selection
from tests.fakes import FakeStateStore, a_node
from tests.fakes.builders import a_request


def filled(count: int, *, tenant: str = "acme", rare_every: int = 0) -> FakeStateStore:
    """Pending containers; every so many-th is called rare-..., so that a listing of those passes many others."""
    store = FakeStateStore()
    for number in range(count):
        rare = rare_every and number % rare_every == rare_every - 1
        name = f"{number:04}-{'rare' if rare else 'common'}"
        store.park(a_request(name, tenant="rare" if rare else tenant), reason="no room", now=1.0)
    return store


def everything(listing: Listing, selection: Selection, limit: int) -> list[str]:
    page = listing.page(selection, limit=limit)
    names = [one.name for one in page.containers]
    while page.next:
        page = listing.page(selection, limit=limit, after=page.next)
        assert len(page.containers) <= limit
        names += [one.name for one in page.containers]
    return [str(name) for name in names]


def test_a_listing_that_passes_many_others_is_complete_and_each_page_is_bounded_in_reads() -> None:
    store = filled(200, rare_every=37)
    listing = Listing(store)
    selection = Selection(EVERYONE, tenant="rare")
    names = everything(listing, selection, limit=2)
    assert names == [f"{number:04}-rare" for number in (36, 73, 110, 147, 184)]
    store.calls.clear()
    listing.page(selection, limit=2)
    assert store.calls["containers_page"] <= READS_MAX


def test_what_waits_is_found_without_reading_the_rest() -> None:
    store = filled(5)
    assert len(everything(Listing(store), Selection(EVERYONE, frozenset({ContainerState.PENDING})), limit=2)) == 5
    assert store.calls["containers_page"] == 0


def test_a_nodes_containers_are_found_without_reading_the_rest() -> None:
    store = FakeStateStore(a_node("i-0a"), a_node("i-0b"))
    for name, node in (("web-1", "i-0a"), ("web-2", "i-0b"), ("web-3", "i-0a")):
        request = a_request(name)
        store.given(Container(request, ContainerState.RUNNING, 1.0, node=NodeId(node)))
    assert everything(Listing(store), Selection(EVERYONE, node="i-0a"), limit=1) == ["web-1", "web-3"]
    assert store.calls["containers_page"] == 0


def test_a_listing_never_leaves_the_callers_scope() -> None:
    store = filled(10, rare_every=5)
    own = Scope(only=frozenset({"acme"}))
    assert len(everything(Listing(store), Selection(own), limit=3)) == 8
    assert everything(Listing(store), Selection(own, tenant="rare"), limit=3) == []


def test_a_removed_container_does_not_end_a_listing() -> None:
    store = filled(4)
    listing = Listing(store)
    selection = Selection(EVERYONE, frozenset({ContainerState.PENDING}))
    page = listing.page(selection, limit=2)
    last = store.container(ContainerName(page.containers[-1].name))
    assert last is not None
    store.release(store.begin_removal(last))
    assert len(listing.page(selection, limit=2, after=page.next).containers) == 2
