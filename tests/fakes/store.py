"""The fleet's table in memory, which a test can fill, make fail and make contend."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from swarmkeeper.adapters.memory.operations import Operation
from swarmkeeper.adapters.memory.store import MemoryStateStore
from swarmkeeper.domain.model import Container, Node
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.errors import Contention
from tests.fakes.faults import Fallible

R = TypeVar("R")


class FakeStateStore(Fallible, MemoryStateStore):
    """A StateStore that a test can fill with `given` and tell to fail (`fail`) or to contend (`contend`).

    `calls` counts them by method; `before` is called at the start of each, outside the store's lock.
    """

    def __init__(self, *nodes: Node, now: Callable[[], float] = time.time, index_lag_s: float = 0.0) -> None:
        Fallible.__init__(self)
        MemoryStateStore.__init__(self, now=now, index_lag_s=index_lag_s)
        self.calls: Counter[str] = Counter()
        self.before: Callable[[Operation], None] = lambda _: None
        for node in nodes:
            self.add_node(node)

    def contend(self, *methods: str, times: int = 1) -> None:
        """Let the next `times` calls of each method (`reserve` unless named) end as two writers that met."""
        for method in methods or ("reserve",):
            self.fail(method, Contention("two writers met"), times=times)

    def given(self, container: Container) -> Container:
        """Put the container in as it is and count its reservations, whatever room there is."""
        with self.lock:
            self.stored.containers[container.name] = container
            for node_id in filter(None, (container.node, container.moving_to)):
                node = self.stored.nodes[node_id].holding(container.request.reservation)
                occupant = occupant_of(container.request, container.engine_id)
                self.stored.held.setdefault(node_id, {})[container.name] = occupant
                self.keep_node(replace(node, revision=node.revision + 1))
        return container

    def perform(self, operation: Operation, effect: Callable[[], R]) -> R:
        self.before(operation)
        with self.lock:
            self.calls[operation.name] += 1
            fault = self.next_fault(operation.name)
            if fault is not None and not fault.after:
                raise fault.error
            answer = effect()
            if fault is not None:
                raise fault.error
            return answer
