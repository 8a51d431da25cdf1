"""The backstop: measure the fleet, and ask again for everything whose event may have been lost."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from swarmkeeper.domain.figures import FleetFigures, PoolFigures
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import (
    Node,
    NodeId,
    Pool,
    Role,
)
from swarmkeeper.domain.scaling.policy import usage
from swarmkeeper.ports import Clock, Event, Events, Fleet, StateStore
from swarmkeeper.services.differences import Difference, Sight, asked_by, differences
from swarmkeeper.services.health import HEALTHY
from swarmkeeper.services.managers import Managers

INVENTORY_EVERY = 10
"""Each node's engine is compared with the table at one tick in so many, whatever its agent tells; at each tick while
it has failed to answer."""
TICK_S = 60.0


@dataclass(frozen=True, slots=True)
class Nudges:
    """What a tick asked others to look at again."""

    nodes: tuple[NodeId, ...]
    containers: tuple[str, ...]
    inventories: tuple[NodeId, ...] = ()
    found: Mapping[Difference, Sequence[str]] = field(default_factory=dict)
    """Where each difference was found that the table of them names."""


class Reconciler:
    """Use cases of the reconciler function; changes nothing itself, events make the owners look again."""

    def __init__(
        self,
        *,
        fleet_name: str,
        store: StateStore,
        fleet: Fleet,
        managers: Managers,
        events: Events,
        clock: Clock,
        pools: Sequence[Pool],
    ) -> None:
        self._fleet_name = fleet_name
        self._store = store
        self._fleet = fleet
        self._managers = managers
        self._events = events
        self._clock = clock
        self._pools = tuple(pools)

    def measure(self) -> FleetFigures:
        """The fleet's figures as the table has them."""
        nodes, pending = self._store.nodes(), self._store.pending()
        return FleetFigures(
            pending=len(pending),
            oldest_pending_s=max((self._clock.now() - each.requested_at for each in pending), default=0.0),
            pools=tuple(self._figures(pool, nodes) for pool in self._pools),
        )

    def nudge(self, *, every_engine: bool = False) -> Nudges:
        """Publish checks for nodes and retries for containers that stand still, whatever lost their events.

        A container whose lease lasts is being worked on. With `every_engine` all engines are compared with the table,
        and not only those whose turn it is. Raises Unavailable when the Swarm can't be asked for its ghosts;
        everything else is published by then.
        """
        sight = self._sight()
        found = differences(sight)
        checked, retried = self._asked(Event.MEMBERSHIP_CHECK, found), self._asked(Event.PENDING_RETRY, found)
        inventories = [node.id for node in sight.nodes if _is_compared(node) and (every_engine or self._has_turn(node))]
        self._publish(Event.MEMBERSHIP_CHECK, "node", checked)
        self._publish(Event.PENDING_RETRY, "name", retried)
        if sight.pending:
            self._events.publish(Event.PENDING_RETRY, [{"fleet": self._fleet_name}])
        self._publish(Event.INVENTORY_DUE, "node", inventories)
        found = differences(replace(sight, down=self._down()))
        more = [each for each in self._asked(Event.MEMBERSHIP_CHECK, found) if each not in checked]
        self._publish(Event.MEMBERSHIP_CHECK, "node", more)
        return Nudges(tuple(map(NodeId, [*checked, *more])), tuple(retried), tuple(inventories), found)

    def _sight(self) -> Sight:
        now = self._clock.now()
        return Sight(now, self._store.nodes(), self._store.unsettled(now=now), self._store.pending(), self._instances())

    def _asked(self, event: Event, found: Mapping[Difference, Sequence[str]]) -> list[str]:
        return asked_by(event, found, turn=self._tick())

    def _tick(self) -> int:
        return int(self._clock.now() / TICK_S)

    def _has_turn(self, node: Node) -> bool:
        """Whether the node's engine is compared with the table at this tick."""
        return node.health < HEALTHY or zlib.crc32(node.id.encode()) % INVENTORY_EVERY == self._tick() % INVENTORY_EVERY

    def _instances(self) -> dict[NodeId, str]:
        """The groups' instances with their lifecycle."""
        return {item.id: item.lifecycle for pool in self._pools for item in self._fleet.group(pool.group).instances}

    def _down(self) -> frozenset[NodeId]:
        """Host names that the Swarm lists as down: silent nodes of ours, and ghosts that none of ours has any more."""
        if not self._managers.in_service():
            return frozenset()
        return frozenset(NodeId(listed.host_name) for listed in self._managers.nodes() if listed.seems_dead)

    def _figures(self, pool: Pool, nodes: Sequence[Node]) -> PoolFigures:
        ready = [node for node in nodes if node.pool == pool.name and node.state is NodeState.READY]
        totals = usage(ready)
        return PoolFigures(
            pool=pool.name,
            ready_nodes=len(ready),
            containers=totals.containers,
            reserved_share=totals.share if ready else None,
            silent_nodes=sum(1 for node in nodes if node.pool == pool.name and _is_silent(node)),
            has_failed=self._store.scaling(pool.name).failed_since is not None,
            reserved=totals.reserved,
            offered=totals.capacity,
        )

    def _publish(self, event: Event, key: str, values: Sequence[str]) -> None:
        if values:
            self._events.publish(event, [{"fleet": self._fleet_name, key: value} for value in values])


def _is_compared(node: Node) -> bool:
    return node.role is Role.WORKER and node.state in (NodeState.READY, NodeState.DRAINING)


def _is_silent(node: Node) -> bool:
    return node.suspected_at is not None or node.state is NodeState.LOST
