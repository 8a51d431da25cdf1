"""Which nodes may go: empty ones, those that are to be replaced, then those whose containers fit elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from swarmkeeper.domain.membership import LeaveCause
from swarmkeeper.domain.model import Node, NodeId, PoolName
from swarmkeeper.domain.scaling.demand import as_joined
from swarmkeeper.domain.scaling.fleet import FleetSeen
from swarmkeeper.domain.scaling.floors import deciding_ceiling, deciding_floor
from swarmkeeper.domain.scaling.movable import is_emptiable, is_empty, is_settled
from swarmkeeper.domain.scaling.packing import in_packing_order
from swarmkeeper.domain.scaling.policy import Policy, reserved_share
from swarmkeeper.domain.scaling.snapshot import PoolNodes

TRIES = 50
"""Candidates of a kind proven in one decision: more than any fuse lets go, few enough for a fleet of thousands."""


@dataclass(slots=True)
class Removable:
    """A pool's nodes that could go, in the order in which they should, each proven with those before gone.

    `replacing` are outdated nodes whose containers find no room: nodes are bought for them first.
    """

    empty: list[NodeId] = field(default_factory=list)
    outdated: list[NodeId] = field(default_factory=list)
    under_used: list[NodeId] = field(default_factory=list)
    replacing: list[NodeId] = field(default_factory=list)
    fitting: set[str] = field(default_factory=set)
    """The pending requests that the pool's nodes in service have room for, by name."""

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        return (*self.empty, *self.outdated, *self.under_used)


def removable(fleet: FleetSeen, shrinking: Iterable[PoolName]) -> Mapping[PoolName, Removable]:
    """What each of these pools could do without; nothing while what drains already has no room elsewhere.

    An empty node may go whenever the others stay below `reserved_high`, at their floor and keep the headroom; an
    outdated one when its containers can all be moved and the same code that places finds them room on the nodes
    that remain; one past its lifetime whatever it holds, when all of that finds room; any other with containers
    likewise, but only while the pool's share is below `reserved_low`, a metric says that fewer nodes would do, or
    consolidation gains enough. Protected nodes stay.
    """
    names = tuple(shrinking)
    return _Removing(fleet, names).found() if names else {}


class _Removing:
    """Outdated nodes are proven first, so that no empty node goes that they are about to need."""

    def __init__(self, fleet: FleetSeen, shrinking: Iterable[PoolName]) -> None:
        self._fleet = fleet
        dearest_first = sorted(shrinking, key=lambda name: (-fleet.pools[name].seen.pool.price_per_hour, name))
        self._pools = {name: fleet.pools[name] for name in dearest_first}
        self._found = {name: Removable() for name in dearest_first}
        self._room = fleet.room_in_service(
            {
                name: fleet.policies[name].spares(pool.seen.pool, pool.seen.state, beyond=True)
                for name, pool in fleet.workers.items()
            }
        )
        for pool in fleet.workers.values():  # what is on its way counts as room, but nothing is put there
            for node in (*pool.joining, *pool.promised):
                self._room.book(pool.seen.name).enter(as_joined(node, pool.seen.pool))

    def found(self) -> Mapping[PoolName, Removable]:
        if not self._room.place(self._fleet.moving())[1]:
            self._place_pending()
            for step in (self._let_outdated_go, self._let_overdue_go, self._let_empty_go, self._let_under_used_go):
                for pool in self._pools.values():
                    step(pool)
        return self._found

    def _place_pending(self) -> None:
        """What waits and fits will be placed any moment."""
        taken, _ = self._room.place(self._fleet.pending)
        for name, node_id in taken.items():
            found = self._found.get(self._room.nodes[node_id].pool)
            if found is not None:
                found.fitting.add(name)

    def _let_outdated_go(self, pool: PoolNodes) -> None:
        policy, found = self._policy(pool), self._found[pool.seen.name]
        candidates = [node for node in self._candidates(pool) if is_outdated(node, policy, self._fleet.now)]
        movable = [n for n in candidates if self._is_empty(n) or self._is_emptiable(n)]
        for node in sorted(movable, key=_oldest)[: self._drains_left(pool)]:
            if self._goes(pool, node, in_service=pool.seen.group_min):
                (found.empty if self._is_empty(node) else found.outdated).append(node.id)
            else:
                found.replacing.append(node.id)

    def _let_overdue_go(self, pool: PoolNodes) -> None:
        """One node past its lifetime at a time goes with what can't be moved, once others have room for all of it."""
        found = self._found[pool.seen.name]
        ours = [node for node in self._candidates(pool) if node.id not in (*found.nodes, *found.replacing)]
        overdue = [node for node in ours if is_overdue(node, self._policy(pool), self._fleet.now)]
        settled = [node for node in overdue if is_settled(node, self._fleet.snapshot.containers_on(node.id))]
        if not settled or any(map(_leaves_for_its_age, pool.all)) or self._drains_left(pool) <= len(found.outdated):
            return
        node = min(settled, key=_oldest)
        if self._goes(pool, node, in_service=pool.seen.group_min, with_all=True):
            found.outdated.append(node.id)
        else:
            found.replacing.append(node.id)

    def _let_empty_go(self, pool: PoolNodes) -> None:
        found = self._found[pool.seen.name]
        empty = [node for node in self._candidates(pool) if self._is_empty(node)]
        empty = [node for node in sorted(empty, key=_oldest) if node.id not in (*found.empty, *found.replacing)]
        found.empty += [node.id for node in empty[:TRIES] if self._goes(pool, node)]

    def _let_under_used_go(self, pool: PoolNodes) -> None:
        """Empty the nodes with the least work; all of them or none where only their number makes it worth while."""
        found, mark = self._found[pool.seen.name], self._room.mark()
        most, enough = self._under_used_wanted(pool, len(found.nodes))
        if not most:
            return
        emptiable = [n for n in self._candidates(pool) if n.id not in found.nodes and self._is_emptiable(n)]
        chosen: list[NodeId] = []
        for node in sorted(emptiable, key=_least_work)[:TRIES]:
            if len(chosen) < most and self._goes(pool, node):
                chosen.append(node.id)
        if enough(len(chosen)):
            found.under_used += chosen
        else:
            self._room.undo(mark)

    def _under_used_wanted(self, pool: PoolNodes, gone: int) -> tuple[int, Callable[[int], bool]]:
        """How many nodes with containers may go, and whether so many are worth it."""
        policy = self._policy(pool)
        if reserved_share(pool.ready) < policy.reserved_low:
            return TRIES, bool
        ceiling = deciding_ceiling(pool.seen.ceilings)
        if ceiling is not None and (beyond := len(pool.ready) - gone - ceiling.nodes) > 0:
            return beyond, bool
        if policy.consolidation is None:
            return 0, bool
        of_one, least = pool.seen.pool.price_per_hour or 1.0, policy.consolidation.min_gain
        return TRIES, lambda nodes: nodes > 0 and nodes * of_one >= least

    def _goes(self, pool: PoolNodes, node: Node, *, in_service: int = 0, with_all: bool = False) -> bool:
        """Close the node and put its containers elsewhere, or those that can be moved, unless that must not be."""
        if self._room.nodes[node.id].containers != node.containers:  # it would take in what an earlier one gives up
            return False
        mark = self._room.mark()
        self._room.close(node.id)
        moved = self._fleet.handed_on(node, self._fleet.snapshot.containers_on(node.id), with_all=with_all)
        taken, left = self._room.place(in_packing_order(moved, self._fleet.scale))
        touched = {pool.seen.name, *(self._room.nodes[target].pool for target in taken.values())}
        if not left and self._stays(pool, in_service) and all(self._is_enough(name) for name in touched):
            return True
        self._room.undo(mark)
        return False

    def _stays(self, pool: PoolNodes, in_service: int) -> bool:
        """Whether the pool keeps so many nodes in service, and as many as its floor asks for."""
        nodes = self._room.book(pool.seen.name).nodes
        floor = deciding_floor(pool.seen.floors)
        if floor is not None and nodes < min(floor.nodes, pool.seen.group_max):
            return False
        return nodes - len(pool.joining) - len(pool.promised) >= in_service

    def _is_enough(self, name: PoolName) -> bool:
        """Whether nothing would be bought back for the demand there is."""
        policy = self._fleet.policies.get(name)
        book = self._room.book(name)
        if policy is None:
            return True
        return book.keeps_spares and (not policy.has_high or book.usage.share < policy.reserved_high)

    def _candidates(self, pool: PoolNodes) -> Sequence[Node]:
        return [node for node in pool.ready if not node.protected and node.id not in pool.seen.protected]

    def _drains_left(self, pool: PoolNodes) -> int:
        return max(0, self._policy(pool).limits.drains_at_once - len(pool.draining))

    def _is_empty(self, node: Node) -> bool:
        return is_empty(node, self._fleet.snapshot.containers_on(node.id))

    def _is_emptiable(self, node: Node) -> bool:
        return is_emptiable(node, self._fleet.snapshot.containers_on(node.id), self._fleet.now)

    def _policy(self, pool: PoolNodes) -> Policy:
        return self._fleet.policies[pool.seen.name]


def is_outdated(node: Node, policy: Policy, now: float) -> bool:
    """Whether the node is older than nodes may be, or made from another machine image than they shall have.

    An image that isn't known is taken for the right one.
    """
    if is_overdue(node, policy, now):
        return True
    if policy.max_node_age_s is not None and now - node.created_at > policy.max_node_age_s:
        return True
    return policy.image_id is not None and node.image_id not in ("", policy.image_id)


def is_overdue(node: Node, policy: Policy, now: float) -> bool:
    """Whether the node has reached the age at which it goes whatever it holds."""
    return policy.max_lifetime_s is not None and now - node.created_at > policy.max_lifetime_s


def _leaves_for_its_age(node: Node) -> bool:
    return node.leaving is not None and node.leaving.cause is LeaveCause.LIFETIME


def _oldest(node: Node) -> tuple[float, str]:
    return node.created_at, node.id


def _least_work(node: Node) -> tuple[int, float, str]:
    return node.containers, node.created_at, node.id
