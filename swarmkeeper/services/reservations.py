"""Decide where requests go and reserve there without a lock: lost races teach the true state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from swarmkeeper.domain.model import Container, Node, NodeId, Request
from swarmkeeper.domain.placement.scheduler import Decision, decide
from swarmkeeper.errors import Contention, NodeChanged
from swarmkeeper.ports import Clock, StateStore
from swarmkeeper.services.limits import limit_for

RESERVATION_TRIES = 8
"""Lost races before a request is kept pending; the schedule tries it again."""
CONTENTION_PAUSE_S = 0.05
"""Upper bound of the jittered pause after a conflict that taught nothing."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A container that holds a reservation, with the decision that led to it."""

    container: Container
    node: Node


class Reserver:
    """Reserves room for requests; safe under any number of concurrent callers."""

    def __init__(
        self, *, store: StateStore, clock: Clock, random: Random, pause: Callable[[float], None], strategy: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._pause = pause
        self._strategy = strategy

    def explain(self, request: Request) -> Decision:
        """Where the request would go now, and why not elsewhere; changes nothing."""
        return decide(request, self._store.nodes(), strategy=self._strategy)

    def view(self) -> list[Node]:
        """The nodes as they stand, to be given to `reserve`."""
        return list(self._store.nodes())

    def reserve(
        self, request: Request, nodes: list[Node], avoid: frozenset[NodeId] = frozenset()
    ) -> Placed | Container:
        """Reserve on the best node, learning from lost races; else park. Keeps `nodes` up to date."""
        for _ in range(RESERVATION_TRIES):
            seed = self._random.randrange(2**32)
            decision = decide(request, nodes, strategy=self._strategy, seed=seed, avoid=avoid)
            if decision.chosen is None:
                return self._store.park(request, reason=decision.explain(), now=self._clock.now())
            node = decision.chosen
            try:
                container = self._store.reserve(request, node, limit_for(request, node), now=self._clock.now())
            except NodeChanged as changed:
                _learn(nodes, node.id, changed.actual)
            except Contention:
                self._pause(self._random.uniform(0, CONTENTION_PAUSE_S))
                _learn(nodes, node.id, self._store.node(node.id))
            else:
                _learn(nodes, node.id, _with_reservation(node, request))
                return Placed(container, node)
        return self._store.park(request, reason="every try lost a race for its node", now=self._clock.now())


def _learn(nodes: list[Node], node_id: NodeId, actual: Node | None) -> None:
    """Put the node's true record in the view, or take the node out."""
    position = next(index for index, node in enumerate(nodes) if node.id == node_id)
    nodes[position : position + 1] = [] if actual is None else [actual]


def _with_reservation(node: Node, request: Request) -> Node:
    return node.holding(request.reservation)
