"""What nodes hold and how their changes are found, as every StateStore promises it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import HostPort, Image, NodeId, Request, Resources, Rules
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.errors import NodeChanged
from swarmkeeper.ports import Limit, NodeChange, NodeContent, StateStore
from tests.contract.acts import LATER, NOW, moving, now_stored, placed, running, with_node
from tests.fakes.builders import a_limit, a_node, a_request, resources

IMAGES = (Image("sha256:1", ("web:1", "web:latest")), Image("sha256:2"))


def content(store: StateStore, node_id: str) -> NodeContent:
    (found,) = store.contents([NodeId(node_id)])
    return found


def with_rules(name: str = "web-1") -> Request:
    rules = Rules(ports=(HostPort(80, "udp", "10.0.0.1"),), exposed=("80/tcp",), network_mode="host")
    amount = Resources.of(1, 2, {"gpu": 1})
    return replace(a_request(name), reservation=amount, rules=rules, labels={"tier": "a"}, image="web:1")


# Content.
def test_a_reservation_tells_what_others_ask_of_its_container(store: StateStore) -> None:
    node = with_node(store, a_node(capacity=Resources.of(10, 10, {"gpu": 1})))
    request = with_rules()
    store.reserve(request, node, a_limit(node, request), now=NOW)
    found = content(store, node.id)
    assert found.node == now_stored(store, node)
    assert found.occupants == (occupant_of(request),)


def test_an_occupant_has_its_engine_id_once_it_runs(store: StateStore) -> None:
    node = with_node(store)
    container = running(store, node)
    assert content(store, node.id).occupants == (occupant_of(container.request, container.engine_id),)


def test_a_moving_one_occupies_both_nodes_and_then_the_target_as_its_engine_knows_it(store: StateStore) -> None:
    source, target = with_node(store), with_node(store, a_node("i-0b"))
    begun = moving(store, source, target)
    assert content(store, "i-0a").occupants == (occupant_of(begun.request, begun.engine_id),)
    assert content(store, "i-0b").occupants == (occupant_of(begun.request),)
    store.finish_move(begun, engine_id="engine-2")
    assert content(store, "i-0a").occupants == ()
    assert content(store, "i-0b").occupants == (occupant_of(begun.request, "engine-2"),)


def test_contents_are_those_of_the_known_nodes_asked_for(store: StateStore) -> None:
    for node_id in ("i-0a", "i-0b", "i-0c"):
        with_node(store, a_node(node_id))
    found = store.contents([NodeId(node_id) for node_id in ("i-0a", "i-0c", "i-none")])
    assert {each.node.id for each in found} == {"i-0a", "i-0c"}


def test_nodes_are_read_by_their_ids(store: StateStore) -> None:
    nodes = {with_node(store, a_node(node_id)).id: a_node(node_id) for node_id in ("i-0a", "i-0b")}
    found = store.read_nodes([NodeId("i-none"), *nodes])
    assert {each.id: each for each in found} == nodes
    assert store.read_nodes([]) == ()


def test_images_of_a_node_are_replaced(store: StateStore) -> None:
    node = with_node(store)
    store.record_images(node.id, IMAGES)
    assert content(store, node.id).images == IMAGES
    store.record_images(node.id, IMAGES[:1])
    assert content(store, node.id).images == IMAGES[:1]
    assert now_stored(store, node) == replace(node, revision=2)


def test_the_same_images_change_nothing(store: StateStore) -> None:
    node = with_node(store)
    for _ in range(2):
        store.record_images(node.id, IMAGES)
    assert now_stored(store, node).revision == 1


def test_images_of_a_node_that_is_gone_are_not_kept(store: StateStore) -> None:
    node = with_node(store)
    store.record_images(node.id, IMAGES)
    store.bury_node(node, expires_at=LATER)
    store.record_images(node.id, IMAGES)
    store.record_images(NodeId("i-none"), IMAGES)
    assert content(store, node.id).images == ()
    assert store.node(NodeId("i-none")) is None


# Revisions.
@pytest.mark.parametrize(
    ("change", "growth"),
    [
        pytest.param(lambda store: placed(store, a_node("i-0b"), "web-2"), 0, id="another node's"),
        pytest.param(lambda store: placed(store, a_node(), "web-2"), 1, id="a reservation"),
        pytest.param(lambda store: running(store, a_node(), "web-2"), 2, id="and its engine's id"),
        pytest.param(lambda store: store.record_images(NodeId("i-0a"), IMAGES), 1, id="images"),
        pytest.param(lambda store: store.save_node(now_stored(store, a_node())), 0, id="its own record"),
    ],
)
def test_a_revision_grows_with_each_change_of_what_the_node_holds(
    store: StateStore, change: Callable[[StateStore], object], growth: int
) -> None:
    node, _ = with_node(store), with_node(store, a_node("i-0b"))
    change(store)
    assert now_stored(store, node).revision == growth


def test_a_node_that_holds_something_else_than_was_seen_refuses(store: StateStore) -> None:
    node, request = with_node(store), a_request("web-2")
    placed(store, node)
    seen = replace(a_limit(node, request), revision=0)
    with pytest.raises(NodeChanged) as refused:
        store.reserve(request, node, seen, now=NOW)
    assert refused.value.actual == now_stored(store, node)
    current = replace(seen, revision=1)
    assert store.reserve(request, node, current, now=NOW).node == node.id


def test_saving_and_burying_leave_the_revision(store: StateStore) -> None:
    node = with_node(store)
    store.release(placed(store, node))
    assert store.save_node(node).revision == 2
    assert store.bury_node(replace(node, epoch=1), expires_at=LATER).revision == 2


# Generic resources.
def test_generic_resources_are_reserved_and_given_back_exactly(store: StateStore) -> None:
    node = with_node(store, a_node(capacity=Resources.of(10, 10, {"gpu": 2, "tpu-v4": 1})))
    requests = [replace(a_request(f"web-{n}"), reservation=Resources.of(1, 1, {"gpu": 1})) for n in range(3)]
    held = [store.reserve(request, node, a_limit(node, request), now=NOW) for request in requests[:2]]
    assert now_stored(store, node).reserved == Resources.of(2, 2, {"gpu": 2})
    with pytest.raises(NodeChanged) as refused:
        store.reserve(requests[2], node, a_limit(node, requests[2]), now=NOW)
    assert refused.value.actual == now_stored(store, node)
    for container in held:
        store.release(container)
    assert now_stored(store, node).reserved == Resources()
    assert store.reserve(requests[2], node, a_limit(node, requests[2]), now=NOW).node == node.id


def test_a_kind_that_the_node_lacks_is_never_reserved(store: StateStore) -> None:
    node = with_node(store)
    request = replace(a_request(), reservation=Resources.of(1, 1, {"gpu": 1}))
    with pytest.raises(NodeChanged):
        store.reserve(request, node, a_limit(node, request), now=NOW)


def test_saving_leaves_reserved_generic_resources_and_can_take_away_a_kind(store: StateStore) -> None:
    node = with_node(store, a_node(capacity=Resources.of(10, 10, {"gpu": 2, "fpga": 1})))
    request = replace(a_request(), reservation=Resources.of(1, 1, {"gpu": 1}))
    store.reserve(request, node, a_limit(node, request), now=NOW)
    saved = store.save_node(replace(node, capacity=Resources.of(10, 10, {"gpu": 2})))
    assert (saved.capacity, saved.reserved) == (Resources.of(10, 10, {"gpu": 2}), Resources.of(1, 1, {"gpu": 1}))


# Changes.
def test_every_write_of_a_node_shows_as_a_change(store: StateStore) -> None:
    node = with_node(store)
    assert store.node_changes(0.0) == (NodeChange(node.id, NodeState.READY, 0, 0, Resources(), 0),)
    container = running(store, node)
    assert store.node_changes(0.0) == (NodeChange(node.id, NodeState.READY, 0, 2, resources(0.5, 256), 1),)
    store.release(container)
    store.save_node(replace(node, state=NodeState.DRAINING))
    store.bury_node(replace(node, epoch=1), expires_at=LATER)
    assert store.node_changes(0.0) == (NodeChange(node.id, NodeState.GONE, 2, 3, Resources(), 0),)


def test_changes_of_all_nodes_are_found(store: StateStore) -> None:
    ids = {with_node(store, a_node(f"i-{number:02}")).id for number in range(20)}
    assert {change.id for change in store.node_changes(0.0)} == ids


def test_a_limit_without_slots_and_revision_is_of_resources_only(store: StateStore) -> None:
    node = with_node(store)
    placed(store, node)
    request = a_request("web-2")
    assert store.reserve(request, node, Limit(node.capacity, None), now=NOW).node == node.id
