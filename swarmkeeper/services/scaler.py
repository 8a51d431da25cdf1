"""Bring a pool to the size that its demand needs: observe, decide (pure), claim, act."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from swarmkeeper.domain.membership import Step
from swarmkeeper.domain.model import Node, NodeId, Pool, PoolName, Role
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision, Snapshot, decide_pool
from swarmkeeper.domain.scaling.demand import promised_nodes
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.errors import Conflict, NodeChanged
from swarmkeeper.ports import Alarms, Clock, Event, Events, Fleet, StateStore
from swarmkeeper.services.transitions import stepped

CLAIM_TRIES = 4


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
        policy: Policy,
    ) -> None:
        self._fleet_name = fleet_name
        self._store = store
        self._fleet = fleet
        self._events = events
        self._alarms = alarms
        self._clock = clock
        self._pools = tuple(pool for pool in pools if pool.role is Role.WORKER)
        self._policy = policy

    def decide(self, trigger: str, pool: PoolName | None = None) -> tuple[ScalingDecision, ...]:
        """Decide and act for the named pool, or for every worker pool; unknown pools decide nothing.

        Raises Conflict when other deciders came first every time, so that the event source retries.
        """
        return tuple(self._decide_one(each, trigger) for each in self._pools if pool in (None, each.name))

    def launch_failed(
        self, pool: PoolName, message: str, *, instance_id: str = "", at: float = 0.0
    ) -> tuple[ScalingDecision, ...]:
        """The pool's group could not launch: decide for the whole fleet again."""
        return self.decide(f"launch failed in {pool}: {message}")

    def recheck(self) -> tuple[ScalingDecision, ...]:
        """Decide for the pools whose recheck is due or that have an alarm in ALARM (alarms fire only once)."""
        alarmed = self._alarms.in_alarm(self._fleet_name)
        due = [pool for pool in self._pools if self._is_due(pool) or pool.name in alarmed or None in alarmed]
        return tuple(self._decide_one(pool, "recheck") for pool in due)

    def _is_due(self, pool: Pool) -> bool:
        recheck_at = self._store.scaling(pool.name).recheck_at
        return recheck_at is not None and recheck_at <= self._clock.now()

    def _decide_one(self, pool: Pool, trigger: str) -> ScalingDecision:
        """Observe again when another decider's claim came first: what is left to do may be nothing."""
        for _ in range(CLAIM_TRIES - 1):
            try:
                return self._decide_once(pool, trigger)
            except Conflict:
                continue
        return self._decide_once(pool, trigger)

    def _decide_once(self, pool: Pool, trigger: str) -> ScalingDecision:
        snapshot = self._observe(pool, trigger)
        decision = decide_pool(snapshot, self._policy, self._clock.now())
        self._claim(snapshot, decision)
        self._act(pool, snapshot, decision)
        return decision

    def _observe(self, pool: Pool, trigger: str) -> Snapshot:
        group = self._fleet.group(pool.group)
        nodes = self._workers_and_promises(pool)
        ours = [node.id for node in nodes if node.pool == pool.name]
        return Snapshot(
            pool=pool,
            group_min=group.min,
            group_max=group.max,
            group_desired=group.desired,
            suspended=group.suspended,
            nodes=nodes,
            pending=tuple(container.request for container in self._store.pending()),
            containers_by_node={node_id: self._store.containers_on(node_id) for node_id in ours},
            state=self._store.scaling(pool.name),
            trigger=trigger,
        )

    def _workers_and_promises(self, pool: Pool) -> tuple[Node, ...]:
        """All workers, and what the other pools' groups owe: two pools must not buy for the same request."""
        nodes = tuple(node for node in self._store.nodes() if node.role is Role.WORKER)
        others = (other for other in self._pools if other.name != pool.name)
        owed = (promised_nodes(other, self._fleet.group(other.group).desired, nodes) for other in others)
        return (*nodes, *(node for promised in owed for node in promised))

    def _claim(self, snapshot: Snapshot, decision: ScalingDecision) -> None:
        """Store the decision before acting on it; Conflict when somebody else stored one meanwhile."""
        now = self._clock.now()
        state = replace(snapshot.state, recheck_at=decision.recheck_at, last_decision=json.dumps(decision.to_log()))
        if decision.direction is Direction.OUT:
            state = replace(state, last_out_at=now)
        if decision.direction is Direction.IN:
            state = replace(state, last_in_at=now)
        self._store.save_scaling(state)

    def _act(self, pool: Pool, snapshot: Snapshot, decision: ScalingDecision) -> None:
        by_id = {node.id: node for node in snapshot.nodes}
        for node_id in decision.reclaimed:
            self._change(by_id[node_id], Step.UNDRAIN, "demand returned")
        if decision.desired != snapshot.group_desired and not decision.victims:
            self._fleet.set_desired(pool.group, decision.desired)
        drained = [node_id for node_id in decision.victims if self._drain(by_id[node_id])]
        if drained:
            self._publish_draining(drained)

    def _drain(self, node: Node) -> bool:
        return self._change(node, Step.DRAIN, "scale-in")

    def _change(self, node: Node, step: Step, reason: str) -> bool:
        """Take the step with the node; False when it changed since we looked (the recheck looks again)."""
        try:
            self._store.save_node(stepped(replace(node, reason=reason), step, now=self._clock.now()))
        except NodeChanged:
            return False
        return True

    def _publish_draining(self, node_ids: Sequence[NodeId]) -> None:
        details = [{"fleet": self._fleet_name, "node": node_id} for node_id in node_ids]
        self._events.publish(Event.NODE_DRAINING, details)
