"""The store in memory and the one in DynamoDB answer any sequence of calls alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import pytest

from swarmkeeper.adapters.aws.table import DynamoStore
from swarmkeeper.domain.model import Container, Image, Node, Quota, Resources, Save, Snapshot
from swarmkeeper.errors import NodeChanged, SwarmkeeperError
from swarmkeeper.ports import NodeContent, StateStore
from tests.contract.acts import NOW, assert_totals_are_the_sum
from tests.fakes.builders import a_limit, a_node, a_request
from tests.fakes.store import FakeStateStore

STEPS = 200
QUOTA = Quota(containers=3)
K = TypeVar("K")
R = TypeVar("R")
Call = Callable[[StateStore], object]


def outcome(store: StateStore, call: Call) -> object:
    """What the call returned, or the kind of its error and what that teaches."""
    try:
        return call(store)
    except NodeChanged as error:
        return type(error), error.actual
    except SwarmkeeperError as error:
        return type(error)


def in_order(contents: tuple[NodeContent, ...]) -> list[NodeContent]:
    """Contents that can be compared: stores give them, and the occupants in them, in no order."""
    sorted_ones = [
        replace(each, occupants=tuple(sorted(each.occupants, key=lambda one: one.name))) for each in contents
    ]
    return sorted(sorted_ones, key=lambda each: each.node.id)


class Walk:
    """Draws calls, mostly with current records and at times with stale ones, as racing callers make them."""

    def __init__(self, seed: int, nodes: list[Node]) -> None:
        self._chance = random.Random(seed)
        self._nodes = {node.id: [node] for node in nodes}
        self._containers: dict[str, list[Container]] = {}

    def learn(self, seen: object) -> None:
        if isinstance(seen, Container):
            self._containers.setdefault(seen.name, []).append(seen)
        if isinstance(seen, Node):
            self._nodes[seen.id].append(seen)

    def next_call(self, at: int) -> Call:
        if not self._containers or self._chance.random() < 0.3:
            return self._placing(at)
        return self._changing()

    def _placing(self, at: int) -> Call:
        request = a_request(f"web-{self._chance.randrange(6)}", cpus=self._chance.choice([0.5, 0.5, 0.5, 0.75]))
        if self._chance.random() < 0.2:
            request = replace(request, reservation=Resources.of(1, 1, {"gpu": 1}), labels={"tier": "a"})
        node = self._one_of(self._nodes)
        limit = replace(a_limit(node, request), revision=self._chance.choice([None, None, node.revision]))
        quota = self._chance.choice([None, QUOTA])
        known = self._one_of(self._containers) if self._containers else None
        pending = known if known and known.request == request and known.node is None else None
        calls: list[Call] = [
            lambda store: store.reserve(request, node, limit, now=NOW + at, pending=pending, quota=quota),
            lambda store: store.park(request, reason=f"full at {at}", now=NOW + at, quota=quota),
            lambda store: store.save_node(replace(node, health=at)),
            lambda store: store.bury_node(node, expires_at=NOW),
            lambda store: store.record_images(node.id, [Image(f"sha256:{at % 3}")]),
        ]
        return self._chance.choices(calls, [6, 2, 2, 0.3, 1])[0]

    def _changing(self) -> Call:
        container = self._one_of(self._containers)
        node = self._one_of(self._nodes)
        calls: list[Call] = [
            lambda store: store.confirm(container, engine_id="engine-1", now=NOW),
            lambda store: store.explain(container, reason="waiting"),
            lambda store: store.unplace(container, reason="lost"),
            lambda store: store.begin_removal(container),
            lambda store: store.release(container),
            lambda store: store.begin_move(container, node, a_limit(node, container.request)),
            lambda store: store.finish_move(container, engine_id="engine-2"),
            lambda store: store.cancel_move(container),
            lambda store: store.lease(container, until=NOW),
            lambda store: store.count(container),
            lambda store: store.note_save(container, Save("a"), snapshot=Snapshot("b", NOW)),
        ]
        moving, standing = [4, 1, 1, 1, 1, 0, 6, 3, 0.5, 0.5, 1], [6, 1, 1, 0.5, 1, 4, 0.3, 0.3, 1, 1, 0.5]
        weights = moving if container.moving_to else standing
        return self._chance.choices(calls, weights)[0]

    def _one_of(self, records: Mapping[K, list[R]]) -> R:
        known = self._chance.choice(list(records.values()))
        return known[-1] if self._chance.random() < 0.85 else self._chance.choice(known)


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_calls_ends_alike(dynamo_store: DynamoStore, seed: int) -> None:
    memory = FakeStateStore()
    capacity = Resources.of(2 * 10**9, 2**31, {"gpu": 1})
    nodes = [a_node(f"i-0{letter}", slots=3, capacity=capacity) for letter in "abc"]
    for node in nodes:
        memory.add_node(node)
        dynamo_store.add_node(node)
    walk = Walk(seed, nodes)
    for at in range(STEPS):
        call = walk.next_call(at)
        expected = outcome(memory, call)
        assert outcome(dynamo_store, call) == expected
        walk.learn(expected)
    assert_totals_are_the_sum(memory)
    assert (dynamo_store.nodes(), dynamo_store.containers(), dynamo_store.pending()) == (
        memory.nodes(),
        memory.containers(),
        memory.pending(),
    )
    assert_totals_are_the_sum(dynamo_store)
    assert dynamo_store.usage("acme") == memory.usage("acme")
    ids = [node.id for node in nodes]
    assert in_order(dynamo_store.contents(ids)) == in_order(memory.contents(ids))
    assert set(dynamo_store.node_changes(0.0)) == set(memory.node_changes(0.0))
