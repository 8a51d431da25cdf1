"""Fakes that refuse what no order of events may lead to."""

from __future__ import annotations

from dataclasses import replace

from swarmkeeper.domain.membership import TRANSITIONS, NodeState
from swarmkeeper.domain.model import ContainerName, ContainerState, Node, NodeId
from swarmkeeper.ports import EngineFacts
from tests.fakes import FakeEngines, FakeStateStore, FixedClock
from tests.fakes.builders import resources
from tests.unit.services.world import DRAIN_LIMIT_S, IMAGE

LEGAL = {(before, after) for (before, _), after in TRANSITIONS.items()} | {(state, state) for state in NodeState}
RETURNS_TO_DRAIN = (NodeState.LOST, NodeState.DRAINING)
"""Two steps in one write: back, and drained again."""


class WatchedStore(FakeStateStore):
    """Refuses a write that no step of the membership table explains, and notes since when nodes drain."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__()
        self._clock = clock
        self._drains_since: dict[NodeId, float] = {}

    def save_node(self, node: Node) -> Node:
        before = self.node(node.id)
        saved = super().save_node(node)
        if before is not None:
            change = (before.state, saved.state)
            assert change in LEGAL or change == RETURNS_TO_DRAIN, change
        if before is None or before.state is not saved.state:
            self._drains_since[node.id] = self._clock.now()
        return saved

    def drain_ends_at(self, node: Node) -> float:
        """Until when what can't be moved is waited for: the pool's limit, or the end that EC2 has told."""
        limit = self._drains_since[node.id] + DRAIN_LIMIT_S
        by = None if node.leaving is None else node.leaving.by
        return limit if by is None else min(limit, by)


class WatchedEngines(FakeEngines):
    """Engines that know their size before the table does, and refuse to end a container that is to be waited for."""

    def __init__(self, store: WatchedStore, clock: FixedClock) -> None:
        super().__init__(IMAGE)
        self._store = store
        self._clock = clock

    def facts(self, node: Node) -> EngineFacts:
        return replace(super().facts(node), capacity=resources(2, 2048))

    def stop(self, node: Node, name: ContainerName, *, network: str) -> None:
        held = self.on(node.id).containers.get(name)
        assert held is None or held.request.movable, f"{name} is stopped, and can't be moved"
        super().stop(node, name, network=network)

    def remove(self, node: Node, name_or_id: str) -> None:
        for name, held in self.on(node.id).containers.items():
            if held.running and name_or_id in (name, held.id):
                self._assert_may_end(node, name)
        super().remove(node, name_or_id)

    def _assert_may_end(self, node: Node, name: ContainerName) -> None:
        """One that serves here ends only with its node, once the drain's limit is over (I5)."""
        known, here = self._store.container(name), self._store.node(node.id)
        serves = known is not None and known.state is ContainerState.RUNNING and known.node == node.id
        if serves and here is not None and here.state is not NodeState.LOST:
            assert here.state is NodeState.DRAINING, f"{name} is taken off {here.state} {node.id}"
            assert self._clock.now() >= self._store.drain_ends_at(here), f"{name} is taken off before the drain's limit"
