"""When a node was changed, by the clock of whoever wrote it, as every StateStore tells it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.domain.model import Image
from swarmkeeper.ports import StateStore
from tests.contract.acts import NOW, placed, with_node
from tests.fakes import FixedClock
from tests.fakes.builders import a_limit, a_node, a_request
from tests.fakes.store import FakeStateStore


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def timed(store: StateStore, clock: FixedClock) -> StateStore:
    assert isinstance(store, FakeStateStore | DynamoStore)
    store.now = clock.now
    return store


def changed_since(store: StateStore, since: float) -> list[str]:
    return sorted(change.id for change in store.node_changes(since))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda store: store.save_node(a_node()), id="saved"),
        pytest.param(lambda store: store.bury_node(a_node(), expires_at=NOW), id="buried"),
        pytest.param(lambda store: placed(store, a_node()), id="reserved"),
        pytest.param(lambda store: store.record_images(a_node().id, [Image("sha256:1")]), id="images"),
    ],
)
def test_a_change_is_found_by_its_time(
    timed: StateStore, clock: FixedClock, change: Callable[[StateStore], object]
) -> None:
    with_node(timed)
    with_node(timed, a_node("i-0b"))
    clock.advance(10)
    assert changed_since(timed, clock.now() - 1) == []
    change(timed)
    assert changed_since(timed, clock.now() - 1) == ["i-0a"]
    assert changed_since(timed, clock.now()) == []


def test_whatever_frees_room_is_a_change_of_its_time(timed: StateStore, clock: FixedClock) -> None:
    source, target = with_node(timed), with_node(timed, a_node("i-0b"))
    container = placed(timed, source)
    clock.advance(10)
    container = timed.confirm(container, engine_id="engine-1", now=clock.now())
    assert changed_since(timed, clock.now() - 1) == ["i-0a"]
    clock.advance(10)
    container = timed.begin_move(container, target, a_limit(target, a_request()))
    assert changed_since(timed, clock.now() - 1) == ["i-0b"]
    clock.advance(10)
    container = timed.finish_move(container, engine_id="engine-2")
    assert changed_since(timed, clock.now() - 1) == ["i-0a", "i-0b"]
    clock.advance(10)
    timed.release(container)
    assert changed_since(timed, clock.now() - 1) == ["i-0b"]
