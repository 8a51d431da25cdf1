"""The fleet as one decision sees it: its pools' nodes, their policies, and what draining nodes hand on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from swarmkeeper.domain.leaving import ends_at_the_limit
from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import Container, Node, NodeId, Pool, PoolName, Request, Resources, Role
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.scaling.demand import as_joined, refusal
from swarmkeeper.domain.scaling.movable import all_requests, movable_requests
from swarmkeeper.domain.scaling.packing import in_packing_order
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.room import Room
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolNodes
from swarmkeeper.domain.scaling.spare import Spare


class FleetSeen:
    """A snapshot, ordered and counted. `idle` pools only decide: they sell nothing, take nothing back, lose nothing.

    `displaced` is what each draining node hands on, as long as it drains: also what can't be moved where the node ends
    whatever it holds, so that room for it is there by then.
    """

    def __init__(
        self,
        snapshot: FleetSnapshot,
        policies: Mapping[PoolName, Policy],
        now: float,
        idle: frozenset[PoolName] = frozenset(),
    ) -> None:
        self.snapshot = snapshot
        self.policies = policies
        self.now = now
        self.idle = idle
        self.nodes = sorted(snapshot.nodes, key=lambda node: node.id)
        self.pools = {
            seen.name: PoolNodes(seen, self.nodes, policies[seen.name].limits, now)
            for seen in sorted(snapshot.pools, key=lambda seen: seen.name)
        }
        self.scale = largest(seen.pool for seen in snapshot.pools)
        self.pending = in_packing_order(snapshot.pending, self.scale)
        self.displaced: Mapping[NodeId, tuple[Request, ...]] = {
            node.id: self.handed_on(node, snapshot.containers_on(node.id), with_all=ends_at_the_limit(node))
            for node in self.nodes
            if node.state is NodeState.DRAINING
        }

    @property
    def options(self) -> PlacementOptions:
        """How containers are placed: the same in all pools."""
        return next(iter(self.policies.values())).options

    @property
    def workers(self) -> dict[PoolName, PoolNodes]:
        """The pools that hold containers."""
        return {name: pool for name, pool in self.pools.items() if pool.seen.pool.role is Role.WORKER}

    def handed_on(self, node: Node, containers: Sequence[Container], *, with_all: bool) -> tuple[Request, ...]:
        """What the node's end makes others hold: the movable ones, or all but what no new node could hold either."""
        if not with_all:
            return movable_requests(containers)
        here = [each for each in containers if each.node == node.id and each.moving_to is None]
        return tuple(request for request in all_requests(here) if self._fits_a_new_node(request))

    def _fits_a_new_node(self, request: Request) -> bool:
        return any(refusal(request, pool.seen.pool, self.options) is None for pool in self.workers.values())

    def moving(self) -> list[Request]:
        """All that draining nodes hand on, in packing order."""
        return in_packing_order((each for requests in self.displaced.values() for each in requests), self.scale)

    def room_to_come(self, spares: Mapping[PoolName, tuple[Spare, ...]]) -> Room:
        """Room on the nodes in service and on those that are on their way.

        A container that is being moved holds two places until its move ends, which gives one of them back whichever
        way it ends; only that on its target counts.
        """
        return Room(self._facts(with_joining=True), self.options, spares)

    def room_in_service(self, spares: Mapping[PoolName, tuple[Spare, ...]]) -> Room:
        """Room on the nodes in service only."""
        return Room(self._facts(with_joining=False), self.options, spares)

    @cached_property
    def _known(self) -> tuple[NodeFacts, ...]:
        return tuple(self.snapshot.facts_of(node) for node in self.nodes)

    def _facts(self, *, with_joining: bool) -> Iterator[NodeFacts]:
        for facts in self._known:
            if not with_joining:
                yield facts
            elif facts.state in JOINING_STATES:
                yield NodeFacts(self._joined(facts.node))
            else:
                yield self._without_moved(facts)
        if with_joining:
            for pool in self.pools.values():
                yield from (NodeFacts(as_joined(node, pool.seen.pool)) for node in pool.promised)

    def _without_moved(self, facts: NodeFacts) -> NodeFacts:
        """The node once the moves off it have ended; one to a node that isn't in service may yet be undone."""
        for each in self.snapshot.containers_on(facts.id):
            if each.node == facts.id and each.moving_to in self._in_service:
                facts = facts.without(each.name)
        return facts

    @cached_property
    def _in_service(self) -> frozenset[NodeId]:
        return frozenset(node.id for node in self.nodes if node.state is NodeState.READY)

    def _joined(self, node: Node) -> Node:
        """A joining node as it will be; one of a pool that isn't looked at counts with what its own record says."""
        pool = self.pools.get(node.pool)
        return replace(node, state=NodeState.READY) if pool is None else as_joined(node, pool.seen.pool)


def largest(pools: Iterable[Pool]) -> Resources:
    """The most CPU and the most memory that a node of any of the pools offers."""
    whole = [pool.node_capacity for pool in pools]
    return Resources(
        max((each.nano_cpus for each in whole), default=0), max((each.memory_bytes for each in whole), default=0)
    )
