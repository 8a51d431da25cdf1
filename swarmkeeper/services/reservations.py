"""Decide where requests go and reserve there without a lock: lost races teach the true state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from swarmkeeper.domain.model import Container, ContainerState, Node, NodeId, Quota, Request
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.scheduler import Decision
from swarmkeeper.domain.placement.wish import Wish, wish_of
from swarmkeeper.errors import Conflict, Contention, NodeChanged
from swarmkeeper.ports import Clock, StateStore
from swarmkeeper.services.limits import asks_of_content, limit_for
from swarmkeeper.services.view import Candidate, FleetView

RESERVATION_TRIES = 8
"""Lost races before a request is kept pending; the schedule tries it again."""
AFTER_A_LOSS_S = 0.5
"""How old the view may be for the try after a lost race."""
CONTENTION_PAUSE_S = 0.02
"""Upper bound of the jittered pause after a conflict that taught nothing."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A container that holds a reservation, with the decision that led to it."""

    container: Container
    node: Node
    candidate: Candidate


@dataclass(slots=True)
class Races:
    """Races that were lost, since the environment began: `lost` taught the true state, `conflicts` did not."""

    lost: int = 0
    conflicts: int = 0


class Breadth:
    """Among how many near-equals a try is drawn: the best alone while races are rare.

    The first lost race makes it eight, each further one doubles it, and half a minute without one halves it again:
    what was learnt of the traffic outlives the request.
    """

    FIRST, MOST = 8.0, 64.0
    HALF_LIFE_S = 30.0

    def __init__(self) -> None:
        self._breadth = 1.0
        self._widened_at = 0.0

    def draw(self, random: Random, now: float) -> int:
        """The place in the ranking that the next try goes to, 0 for the best."""
        return int(random.random() * self._at(now))

    def widen(self, now: float) -> None:
        """A race was lost."""
        self._breadth, self._widened_at = min(self.MOST, max(self.FIRST, 2 * self._at(now))), now

    def _at(self, now: float) -> float:
        halvings = (now - self._widened_at) / self.HALF_LIFE_S
        return max(1.0, self._breadth * math.pow(0.5, halvings))  # which underflows after a long calm


@dataclass(slots=True)
class _Attempt:
    """One request on its way to a reservation."""

    request: Request
    wish: Wish
    pending: Container | None
    quota: Quota | None

    def reads_content(self, options: PlacementOptions) -> bool:
        """Whether its decision is better, or right at all, when it is known what nodes hold."""
        return options.prefer_local_images or asks_of_content(self.wish)


class Reserver:
    """Reserves room for requests; safe under any number of concurrent callers."""

    def __init__(
        self, *, store: StateStore, view: FleetView, clock: Clock, random: Random, pause: Callable[[float], None]
    ) -> None:
        self._store = store
        self._view = view
        self._clock = clock
        self._random = random
        self._pause = pause
        self._breadth = Breadth()
        self.races = Races()

    def explain(self, request: Request) -> Decision:
        """Where the request would go now, and why not elsewhere; changes nothing. Raises InvalidExpression."""
        attempt = _Attempt(request, wish_of(request, self._view.options), None, None)
        self._view.refresh(content=attempt.reads_content(self._view.options))
        return self._view.explain(attempt.wish)

    def explain_anew(self, request: Request) -> Decision:
        """Where a container that has its place already would go now, and why not elsewhere; changes nothing."""
        self._view.refresh(content=True)
        return self._view.explain_anew(wish_of(request, self._view.options), request.name)

    def reserve(
        self,
        request: Request,
        *,
        avoid: frozenset[NodeId] = frozenset(),
        shun: frozenset[NodeId] = frozenset(),
        pending: Container | None = None,
        quota: Quota | None = None,
    ) -> Placed | Container:
        """Reserve on the best node, learning from lost races; else park: returns the pending record.

        Nodes in `avoid` are refused, those in `shun` taken only when no other fits. `pending` is the request's
        pending record where the caller has just read it. Nothing is parked on what was seen a moment ago: when no
        node fits, the fleet is looked at again first. Raises NameTaken, QuotaExceeded, InvalidExpression, and
        Conflict when the pending record is another's by now.
        """
        wish = wish_of(request, self._view.options, avoid)
        away = replace(wish, avoid=avoid | shun)
        attempt = _Attempt(request, away, pending, quota)
        self._view.refresh(content=attempt.reads_content(self._view.options))
        for attempt.wish in (away, wish) if shun else (wish,):
            placed = self._try_all(attempt)
            if placed is not None:
                return placed
        self._view.refresh(content=attempt.reads_content(self._view.options), max_age_s=0)
        return self._try_all(attempt) or self._park(attempt)

    def started(self, placed: Placed, container: Container) -> None:
        """What became of it; knowing its engine's id saves the next decision about this node a lost race."""
        if container.state is ContainerState.RUNNING:
            self._view.confirmed(placed.candidate, container)

    def _try_all(self, attempt: _Attempt) -> Placed | None:
        """Try until it holds a reservation, no node fits, or the tries are used up."""
        for _ in range(RESERVATION_TRIES):
            seed, nth = self._random.randrange(2**32), self._breadth.draw(self._random, self._clock.now())
            candidate = self._view.candidate(attempt.wish, seed=seed, nth=nth)
            if candidate is None:
                return None
            container = self._try(attempt, candidate)
            if container is not None:
                return Placed(container, candidate.node, candidate)
        return None

    def _try(self, attempt: _Attempt, candidate: Candidate) -> Container | None:
        """One transaction; None when another was faster, and what that taught is in the view."""
        node = candidate.node
        seen = candidate.revision if asks_of_content(attempt.wish) else None
        limit = limit_for(attempt.request, node, revision=seen)
        try:
            container = self._store.reserve(
                attempt.request, node, limit, now=self._clock.now(), pending=attempt.pending, quota=attempt.quota
            )
        except NodeChanged as changed:
            self.races.lost += 1
            self._breadth.widen(self._clock.now())
            self._view.learn(node.id, changed.actual)
            self._catch_up(attempt)
        except Contention:
            self.races.conflicts += 1
            self._breadth.widen(self._clock.now())
            self._pause(self._random.uniform(0, CONTENTION_PAUSE_S))
            if attempt.pending is not None:  # it may be that which has changed
                attempt.pending = self._still_pending(attempt.pending)
            self._view.learn(node.id, self._store.node(node.id))
            self._catch_up(attempt)
        else:
            self._view.reserved(candidate, attempt.request)
            return container
        return None

    def _still_pending(self, before: Container) -> Container:
        """The pending record as it is now. Raises Conflict when it waits no more: removed, it must not come back."""
        now = self._store.container(before.name)
        if now is None or now.state is not ContainerState.PENDING or now.request != before.request:
            raise Conflict(f"{before.name} no longer waits")
        return now

    def _catch_up(self, attempt: _Attempt) -> None:
        """A lost race is a sign of a view too old for this traffic, and of what the node holds it told nothing."""
        self._view.refresh(content=attempt.reads_content(self._view.options), max_age_s=AFTER_A_LOSS_S)

    def _park(self, attempt: _Attempt) -> Container:
        reason, before = self._view.refusals(attempt.wish) or "every try lost a race for its node", attempt.pending
        if before is None:
            return self._store.park(attempt.request, reason=reason, now=self._clock.now(), quota=attempt.quota)
        return before if before.reason == reason else self._store.explain(before, reason=reason)
