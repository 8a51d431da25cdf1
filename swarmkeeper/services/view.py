"""What a warm function knows of the fleet, kept fresh by few reads.

Records of nodes follow the index of changes: one refresh reads what was written since the last one, however many
nodes there are. What nodes hold is read only when a request asks of it, and then only of nodes whose revision has
moved. See docs/adr/0017.

What is claimed here of a node is never newer than the truth: the revision that stands beside its occupants was
known before they were read, and is counted on by our own writes only, each of which counts the true one on, too.
So a write on the condition that the revision is still the claimed one succeeds only when the occupants are exactly
those that were decided on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NO_RESOURCES, Container, ContainerName, Node, NodeId, Request, Resources
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.index.cluster import ClusterIndex
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.scheduler import Decision, decide_wish
from swarmkeeper.domain.placement.wish import Wish
from swarmkeeper.ports import Clock, NodeChange, NodeContent, StateStore
from swarmkeeper.services.limits import asks_of_content

CONTENT_ROUNDS = 3
"""Reads of what a node holds while others change it; whatever is still behind then loses its race and learns."""
NEAR_EQUAL_WEIGHT = 200
"""Nodes of one health never differ by more, nodes of different health nearly always do."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old a view may be, all in seconds.

    A change is seen at the latest `max_age_s + index_lag_s` after it was written, while no two clocks are further
    apart than `clock_skew_s` and the index no further behind than `index_lag_s`; else after `relist_s + max_age_s`.
    """

    max_age_s: float = 2.0
    index_lag_s: float = 3.0
    clock_skew_s: float = 1.0
    relist_s: float = 60.0

    @property
    def margin_s(self) -> float:
        """How far before the last refresh the next one looks back."""
        return self.index_lag_s + 2 * self.clock_skew_s


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that may hold a wish, as it was known when that was decided."""

    node: Node
    revision: int
    """The claimed one; -1 when it was never read what the node holds."""
    reading: Node
    """The record as it was last read, before our own writes were counted on it."""


class FleetView:
    """The nodes and what they hold, as one execution environment knows them; safe for its threads."""

    def __init__(
        self, *, store: StateStore, clock: Clock, options: PlacementOptions, freshness: Freshness | None = None
    ) -> None:
        self.options = options
        self._store = store
        self._clock = clock
        self._freshness = freshness or Freshness()
        self._index = ClusterIndex(options)
        self._nodes: dict[NodeId, Node] = {}
        self._claimed: dict[NodeId, int] = {}
        """The revision that a node's occupants in the index are known to be at least as new as."""
        self._readings: dict[NodeId, Node] = {}
        """The records as they were read; those in `_nodes` have our own writes counted on."""
        self._as_of: float | None = None
        self._relisted_at = 0.0
        self._lock = threading.RLock()

    # Refreshing.
    def refresh(self, *, content: bool, max_age_s: float | None = None) -> None:
        """See every change that is older than the bound of `Freshness`; with `content`, of what nodes hold, too.

        `max_age_s` of 0 looks again whatever was seen a moment ago, and reads all records where it can.
        """
        age_s = self._freshness.max_age_s if max_age_s is None else max_age_s
        with self._lock:
            self._refresh_records(age_s)
            if content:
                self._read_contents()

    def _refresh_records(self, max_age_s: float) -> None:
        now = self._clock.now()
        if self._as_of is None or now - self._relisted_at >= self._freshness.relist_s:
            self._relist()
        elif now - self._as_of < max_age_s:
            return
        elif max_age_s == 0 and now - self._relisted_at >= self._freshness.max_age_s:
            self._relist()  # consistent, unlike the index of changes
        else:
            self._follow()
        self._as_of = now

    def _relist(self) -> None:
        """Read all records, strongly consistent; whatever the index of changes missed is seen now."""
        self._relisted_at = self._clock.now()
        listed = self._store.nodes()
        self._take(listed)
        missing = self._nodes.keys() - {node.id for node in listed}
        if missing:  # gone, or so new that the list of ids lags behind
            known = self._store.read_nodes(sorted(missing))
            self._take(known)
            for node_id in missing - {node.id for node in known}:
                self._drop(node_id)

    def _follow(self) -> None:
        """Read what has changed since the last refresh."""
        since = (self._as_of or 0.0) - self._freshness.margin_s
        unknown = [change.id for change in self._store.node_changes(since) if not self._apply(change)]
        if unknown:
            self._take(self._store.read_nodes(unknown))

    def _apply(self, change: NodeChange) -> bool:
        """Take the change over; False when the whole record must be read for that."""
        known = self._nodes.get(change.id)
        if known is None:
            return change.state is NodeState.GONE
        if change.epoch + change.revision <= version(known):
            return True
        if change.epoch != known.epoch or known.capacity.generic or known.reserved.generic:
            return False
        self._read(replace(known, revision=change.revision, reserved=change.reserved, containers=change.containers))
        return True

    def _read_contents(self) -> None:
        """Read what those nodes hold whose revision has moved since it was read, or that were never read."""
        for _ in range(CONTENT_ROUNDS):
            behind = [node_id for node_id, node in self._nodes.items() if self._claimed.get(node_id) != node.revision]
            if not behind:
                return
            found = self._store.contents(behind)
            for content in found:
                self._hold(content)
            self._index.prepare()
            for node_id in frozenset(behind).difference(content.node.id for content in found):
                self._drop(node_id)

    def _hold(self, content: NodeContent) -> None:
        before = self._nodes[content.node.id]
        self._take([content.node])
        node = self._nodes.get(before.id)
        if node is None:
            return
        self._claimed[node.id] = before.revision
        self._index.put_node(node, content.images)
        self._index.set_occupants(node.id, content.occupants)

    # Learning.
    def learn(self, node_id: NodeId, actual: Node | None) -> None:
        """Take over a node's true record, as a failed condition showed it; None when there is none."""
        with self._lock:
            if actual is None:
                self._drop(node_id)
            else:
                self._take([actual])

    def reserved(self, candidate: Candidate, request: Request) -> None:
        """Our reservation on the candidate was written."""
        holding = candidate.node.holding(request.reservation)
        self._count_on(candidate, request, "", added=(holding.reserved - candidate.node.reserved, 1))

    def confirmed(self, candidate: Candidate, container: Container) -> None:
        """The engine's id of the container that we reserved on the candidate was written."""
        self._count_on(candidate, container.request, container.engine_id, added=(NO_RESOURCES, 0))

    def _count_on(self, candidate: Candidate, request: Request, engine_id: str, added: tuple[Resources, int]) -> None:
        """Count our own write, unless the record was read since the decision: that may have it already."""
        node_id = candidate.node.id
        with self._lock:
            if self._readings.get(node_id) is not candidate.reading:
                return
            node = self._nodes[node_id]
            if self._claimed.get(node_id) == node.revision:
                self._claimed[node_id] = node.revision + 1
                self._index.put_occupant(node_id, occupant_of(request, engine_id))
            amount, number = added
            totals = {"reserved": node.reserved + amount, "containers": node.containers + number}
            self._put(replace(node, revision=node.revision + 1, **totals))  # type: ignore[arg-type]  # as above

    def _take(self, nodes: Iterable[Node]) -> None:
        """Take these records over where they are newer than what is known."""
        for node in nodes:
            known = self._nodes.get(node.id)
            if known is not None and version(node) < version(known):
                continue
            if node.state is NodeState.GONE:
                self._drop(node.id)
            elif node != known:
                self._read(node)

    def _read(self, node: Node) -> None:
        self._readings[node.id] = node
        self._put(node)

    def _put(self, node: Node) -> None:
        self._nodes[node.id] = node
        self._index.put_node(node)

    def _drop(self, node_id: NodeId) -> None:
        if self._nodes.pop(node_id, None) is not None:
            self._readings.pop(node_id, None)
            self._claimed.pop(node_id, None)
            self._index.remove_node(node_id)

    # Deciding.
    def candidate(self, wish: Wish, *, seed: int, nth: int = 0) -> Candidate | None:
        """The best node for the wish; or the `nth` after it in rank, or the last before that which is near-equal.

        None when no node can hold it.
        """
        with self._lock:
            if nth == 0:
                best = self._index.choose(wish, seed=seed).node_id
                return None if best is None else self._candidate(best)
            ranking = self._index.ranking(wish, nth + 1, seed=seed)
            near = [node_id for node_id, weight in ranking if abs(weight - ranking[0][1]) <= NEAR_EQUAL_WEIGHT]
            return self._candidate(near[-1]) if near else None

    def _candidate(self, node_id: NodeId) -> Candidate:
        return Candidate(self._nodes[node_id], self._claimed.get(node_id, -1), self._readings[node_id])

    def refusals(self, wish: Wish) -> str:
        """Why no node can hold the wish, as `3 of 5 nodes: memory; 2: constraint storage==ssd`; "" when one can."""
        with self._lock:
            if self._index.choose(wish).node_id is not None:
                return ""
            if asks_of_content(wish):
                return self._index.explain(wish).explain()
            return decide_wish(wish, [NodeFacts(node) for node in self._nodes.values()], self.options).explain()

    def explain(self, wish: Wish) -> Decision:
        """Where the wish would go, and why not elsewhere."""
        with self._lock:
            return self._index.explain(wish)

    def explain_anew(self, wish: Wish, name: ContainerName) -> Decision:
        """Where the wish of the container of this name would go if what it holds were free. Looks at everything."""
        with self._lock:
            facts = [self._index.facts(node_id).without(name) for node_id in self._nodes]
        return decide_wish(wish, sorted(facts, key=lambda each: each.name), self.options)

    def facts(self, node_id: NodeId) -> NodeFacts:
        """A node as it is known, with what it holds as far as that was read. Raises UnknownNode."""
        with self._lock:
            return self._index.facts(node_id)

    def nodes(self) -> tuple[Node, ...]:
        """The records as they are known."""
        with self._lock:
            return tuple(self._nodes.values())


def version(node: Node) -> int:
    """Grows by one with every write of the record, so that of two readings the newer one is known."""
    return node.epoch + node.revision
