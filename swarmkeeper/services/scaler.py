"""Bring the fleet to the size that its demand needs: observe, decide (pure), claim, act, tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from swarmkeeper.domain.membership import LeaveCause, Step
from swarmkeeper.domain.model import Leaving, Node, NodeId, Pool, PoolName, Role
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision, decide_fleet
from swarmkeeper.domain.scaling.due import is_recheck_due, may_lose_an_empty_node
from swarmkeeper.domain.scaling.failures import is_about_capacity
from swarmkeeper.domain.scaling.guards import TERMINATE
from swarmkeeper.domain.scaling.memory import after_decision, after_failed_launch, is_news
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.domain.scaling.victims import is_overdue
from swarmkeeper.errors import Conflict, NodeChanged
from swarmkeeper.ports import Alarms, Clock, DecisionLog, Event, Events, Fleet, StateStore
from swarmkeeper.services.known_contents import KnownContents
from swarmkeeper.services.observing import Observer, Targets
from swarmkeeper.services.transitions import stepped

CLAIM_TRIES = 4


@dataclass(slots=True)
class Done:
    """What one call has decided of each pool, and what of that is for the history, with its time."""

    decisions: dict[PoolName, ScalingDecision] = field(default_factory=dict)
    news: list[tuple[ScalingDecision, float]] = field(default_factory=list)


class Scaler:
    """Use cases of the scaler function. The claim in the table lets one of two concurrent deciders act."""

    def __init__(
        self,
        *,
        fleet_name: str,
        store: StateStore,
        fleet: Fleet,
        events: Events,
        alarms: Alarms,
        clock: Clock,
        pools: Sequence[Pool],
        policies: Mapping[PoolName, Policy],
        history: DecisionLog | None = None,
        targets: Targets | None = None,
        dry_run: frozenset[PoolName] = frozenset(),
        drifting: frozenset[PoolName] = frozenset(),
    ) -> None:
        """`drifting` are the pools whose nodes of another machine image are replaced."""
        self._fleet_name = fleet_name
        self._store = store
        self._fleet = fleet
        self._events = events
        self._alarms = alarms
        self._clock = clock
        self._pools = {pool.name: pool for pool in pools if pool.role is Role.WORKER}
        self._policies = policies
        self._history = history
        self._targets = targets
        self._dry_run = dry_run
        workers = tuple(self._pools.values())
        self._observer = Observer(store, KnownContents(store), fleet, workers, policies, targets, dry_run, drifting)

    def decide(self, trigger: str, pool: PoolName | None = None) -> tuple[ScalingDecision, ...]:
        """Decide and act for the whole fleet, whichever pool asks; unknown pools decide nothing.

        Raises Conflict when other deciders came first every time, so that the event source retries.
        """
        if pool is not None and pool not in self._pools:
            return ()
        done = Done()
        try:
            self._decide_until_claimed(trigger, done)
        finally:  # also what was done before a claim was lost
            self._record(done.news)
        return tuple(done.decisions.values())

    def _decide_until_claimed(self, trigger: str, done: Done) -> None:
        for _ in range(CLAIM_TRIES - 1):
            try:
                return self._decide_once(trigger, done)
            except Conflict:  # another decider's claim came first: what is left to do may be nothing
                continue
        return self._decide_once(trigger, done)

    def _record(self, news: Sequence[tuple[ScalingDecision, float]]) -> None:
        if self._history is not None:
            for decision, at in news:
                self._history.record(decision, at=at)

    def recheck(self) -> tuple[ScalingDecision, ...]:
        """Decide when a pool's recheck is due, an alarm is in ALARM (alarms fire only once), or no alarm would tell."""
        alarmed = self._alarms.in_alarm(self._fleet_name)
        if None in alarmed or not alarmed.isdisjoint(self._pools) or self._is_any_due():
            return self.decide("recheck")
        return ()

    def launch_failed(
        self, pool: PoolName, message: str, *, instance_id: str = "", at: float = 0.0
    ) -> tuple[ScalingDecision, ...]:
        """A group could not launch at that time: the pool is left alone for a while, and the fleet is decided again.

        Launches that a lifecycle hook ended are the registrar's to count. The same event twice changes nothing.
        """
        if pool not in self._pools or not is_about_capacity(message):
            return ()
        self._note_failure(pool, at or self._clock.now())
        return self.decide(f"launch failed in {pool}: {message}")

    def _note_failure(self, pool: PoolName, at: float) -> None:
        """Raises Conflict when the pool's memory changed each time."""
        for attempt in range(CLAIM_TRIES):
            state = self._store.scaling(pool)
            noted = after_failed_launch(state, self._policies[pool].limits, at)
            if noted == state:
                return
            try:
                self._store.save_scaling(noted)
            except Conflict:
                if attempt == CLAIM_TRIES - 1:
                    raise
            else:
                return

    def _is_any_due(self) -> bool:
        """Whether the schedule must decide; the nodes are read only where nothing stored says so."""
        if self._targets is not None and any(map(self._targets.watches, self._pools)):
            return True
        now, states = self._clock.now(), {name: self._store.scaling(name) for name in self._pools}
        if any(is_recheck_due(state, now) for state in states.values()):
            return True
        nodes = self._store.nodes()
        return any(
            name not in self._dry_run
            and may_lose_an_empty_node(pool, nodes, states[name], self._policies[name].limits, now)
            and not self._is_suspended(pool)
            for name, pool in self._pools.items()
        )

    def _is_suspended(self, pool: Pool) -> bool:
        return TERMINATE in self._fleet.group(pool.group).suspended

    def _decide_once(self, trigger: str, done: Done) -> None:
        """Pools are claimed and acted on one by one; `done` keeps what was done before a claim is lost."""
        now = self._clock.now()
        snapshot, decisions = self._decided(trigger, now)
        for seen, decision in zip(snapshot.pools, decisions, strict=True):
            self._store.save_scaling(after_decision(seen, decision, self._policies[seen.name].limits, now))
            if not decision.dry_run:
                self._act(seen, snapshot, decision)
            if is_news(seen.state, decision, now):
                done.news.append((decision, now))
            if decision.direction is not Direction.NONE or seen.name not in done.decisions:
                done.decisions[seen.name] = decision

    def _decided(self, trigger: str, now: float) -> tuple[FleetSnapshot, tuple[ScalingDecision, ...]]:
        """Decide; where something shall go, ask first whether an instance refresh runs there, and decide again."""
        snapshot, policies = self._observer.snapshot(trigger, now), self._observer.policies_now()
        decisions = decide_fleet(snapshot, policies, now)
        losing = {decision.pool for decision in decisions if decision.victims}
        refreshed = {name for name in losing if self._fleet.refreshing(self._pools[name].group)}
        if not refreshed:
            return snapshot, decisions
        pools = tuple(replace(seen, refreshing=seen.name in refreshed) for seen in snapshot.pools)
        snapshot = replace(snapshot, pools=pools)
        return snapshot, decide_fleet(snapshot, policies, now)

    def _act(self, seen: PoolSnapshot, snapshot: FleetSnapshot, decision: ScalingDecision) -> None:
        by_id = {node.id: node for node in snapshot.nodes}
        reclaimed = [
            node_id
            for node_id in decision.reclaimed
            if self._change(by_id[node_id], Step.UNDRAIN, "demand returned", leaving=None)
        ]
        if reclaimed:  # there is room at once for what waits
            self._events.publish(Event.PENDING_RETRY, [{"fleet": self._fleet_name}])
        if decision.desired != seen.group_desired and not decision.victims:
            self._fleet.set_desired(seen.pool.group, decision.desired)
        policy = self._policies[seen.name]
        drained = [node_id for node_id in decision.victims if self._drain(by_id[node_id], policy)]
        if drained:
            self._publish_draining(drained)

    def _drain(self, node: Node, policy: Policy) -> bool:
        now = self._clock.now()
        leaving = Leaving(LeaveCause.SCALE_IN, since=now, note="scale-in")
        if is_overdue(node, policy, now):
            leaving = Leaving(LeaveCause.LIFETIME, since=now, note="older than its pool's max_lifetime")
        return self._change(node, Step.DRAIN, leaving.note, leaving=leaving)

    def _change(self, node: Node, step: Step, reason: str, *, leaving: Leaving | None) -> bool:
        """Take the step with the node; False when it changed since we looked (the recheck looks again)."""
        changed = replace(node, reason=reason, leaving=leaving)
        try:
            self._store.save_node(stepped(changed, step, now=self._clock.now()))
        except NodeChanged:
            return False
        return True

    def _publish_draining(self, node_ids: Sequence[NodeId]) -> None:
        details = [{"fleet": self._fleet_name, "node": node_id} for node_id in node_ids]
        self._events.publish(Event.NODE_DRAINING, details)
