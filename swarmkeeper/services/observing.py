"""Looks at the whole fleet for a scaling decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, Node, NodeId, Pool, PoolName, Role
from swarmkeeper.domain.scaling.arrivals import observed
from swarmkeeper.domain.scaling.demand import refusal
from swarmkeeper.domain.scaling.floors import Bounds
from swarmkeeper.domain.scaling.learnt import with_learnt_labels
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.ports import Fleet, Group, StateStore
from swarmkeeper.services.known_contents import KnownContents

IN_SERVICE = "InService"
LAUNCHED = ("Pending", IN_SERVICE)


class Targets(Protocol):
    """What else than demand wants of a pool's size."""

    def of(self, pool: Pool, nodes: Sequence[Node], now: float) -> Bounds:
        """The floors and ceilings of a pool with these nodes in service."""

    def watches(self, pool: PoolName) -> bool:
        """Whether the pool's bounds may change without any alarm."""


NOT_FOR_ROOM = 3
"""What so many engines in a row have refused to run doesn't wait for room, and no node is bought or kept for it."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads groups, nodes, containers and memory; `drifting` pools replace nodes of another machine image."""

    store: StateStore
    contents: KnownContents
    fleet: Fleet
    pools: tuple[Pool, ...]
    policies: Mapping[PoolName, Policy]
    targets: Targets | None = None
    dry_run: frozenset[PoolName] = frozenset()
    drifting: frozenset[PoolName] = frozenset()

    def snapshot(self, trigger: str, now: float) -> FleetSnapshot:
        """The fleet as it stands; whether an instance refresh runs is not asked here.

        What moves between the waiting and a node meanwhile is counted once at most, or a node too many would be bought.
        """
        listed = self.store.pending()
        all_nodes = self.store.nodes()
        nodes = tuple(node for node in all_nodes if node.role is Role.WORKER)
        pools = [with_learnt_labels(pool, all_nodes) for pool in self.pools]
        held = self.contents.of(nodes)
        placed = {container.name for containers in held.values() for container in containers}
        pending = [container for container in listed if container.name not in placed]
        waiting = self._by_pool(pending, pools)
        return FleetSnapshot(
            nodes=nodes,
            containers_by_node=held,
            pending=tuple(container.request for container in pending if container.refusals < NOT_FOR_ROOM),
            pools=tuple(self._pool(pool, nodes, held, waiting[pool.name], now) for pool in pools),
            trigger=trigger,
        )

    def policies_now(self) -> Mapping[PoolName, Policy]:
        """The policies with the machine images that the groups launch now."""
        return {
            pool.name: replace(self.policies[pool.name], image_id=self.fleet.image_id(pool.group) or None)
            if pool.name in self.drifting
            else self.policies[pool.name]
            for pool in self.pools
        }

    def _pool(
        self,
        pool: Pool,
        nodes: Sequence[Node],
        held: Mapping[NodeId, Sequence[Container]],
        waiting: Sequence[Container],
        now: float,
    ) -> PoolSnapshot:
        group = self.fleet.group(pool.group)
        ours = [node for node in nodes if node.pool == pool.name]
        ready = [node for node in ours if node.state is NodeState.READY]
        bounds = Bounds() if self.targets is None else self.targets.of(pool, ready, now)
        state = self.store.scaling(pool.name)
        headroom = self.policies[pool.name].arrival_headroom
        if headroom is not None:
            there = [*waiting, *(container for node in ours for container in held.get(node.id, ()))]
            state = replace(state, arrivals=observed(state.arrivals, there, now, headroom))
        return PoolSnapshot(
            pool=pool,
            group_min=group.min,
            group_max=group.max,
            group_desired=group.desired,
            state=state,
            suspended=group.suspended,
            protected=frozenset(node.id for node in ours) - _in_service(group),
            floors=bounds.floors,
            ceilings=bounds.ceilings,
            silent=bounds.silent,
            dry_run=pool.name in self.dry_run,
            launched=sum(1 for each in group.instances if each.lifecycle.startswith(LAUNCHED)),
        )

    def _by_pool(self, pending: Sequence[Container], pools: Sequence[Pool]) -> Mapping[PoolName, Sequence[Container]]:
        """The pending containers as arrivals, each with the cheapest pool that follows arrivals and could hold it."""
        following = [pool for pool in pools if self.policies[pool.name].arrival_headroom is not None]
        following.sort(key=lambda pool: (pool.price_per_hour, pool.name))
        found: dict[PoolName, list[Container]] = {pool.name: [] for pool in pools}
        for container in pending:
            for pool in following:
                if refusal(container.request, pool, self.policies[pool.name].options) is None:
                    found[pool.name].append(container)
                    break
        return found


def _in_service(group: Group) -> frozenset[NodeId]:
    """The instances that the group would end with a decrement: others, such as those in standby, don't count in it."""
    return frozenset(instance.id for instance in group.instances if instance.lifecycle == IN_SERVICE)
