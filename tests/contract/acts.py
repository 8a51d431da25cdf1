"""What the tests of a StateStore do again and again."""

from __future__ import annotations

from swarmkeeper.domain.model import (
    Container,
    Node,
    Resources,
)
from swarmkeeper.ports import StateStore
from tests.fakes.builders import a_limit, a_node, a_request

NOW = 1_700_000_000.25
LATER = NOW + 60


def with_node(store: StateStore, node: Node | None = None) -> Node:
    node = node or a_node()
    store.add_node(node)
    return node


def placed(store: StateStore, node: Node, name: str = "web-1", *, movable: bool = False, at: float = NOW) -> Container:
    request = a_request(name, movable=movable)
    return store.reserve(request, node, a_limit(node, request), now=at)


def running(store: StateStore, node: Node, name: str = "web-1") -> Container:
    return store.confirm(placed(store, node, name), engine_id=f"engine-{name}", now=NOW)


def moving(store: StateStore, source: Node, target: Node) -> Container:
    return store.begin_move(running(store, source), target, a_limit(target, a_request()))


def now_stored(store: StateStore, node: Node) -> Node:
    stored = store.node(node.id)
    assert stored is not None
    return stored


def assert_totals_are_the_sum(store: StateStore) -> None:
    for node in store.nodes():
        held = store.containers_on(node.id)
        total = sum((one.request.reservation for one in held), Resources())
        assert (node.reserved, node.containers) == (total, len(held))
