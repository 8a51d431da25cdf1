"""What the fleet needs: nodes to take back from draining, and nodes to buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarmkeeper.domain.leaving import is_for_size
from swarmkeeper.domain.model import ContainerName, Node, NodeId, PoolName, Request
from swarmkeeper.domain.placement.reasons import Rejection
from swarmkeeper.domain.scaling.books import Book
from swarmkeeper.domain.scaling.buying import Market, Shop, shop_of
from swarmkeeper.domain.scaling.demand import new_node, refusal
from swarmkeeper.domain.scaling.fleet import FleetSeen
from swarmkeeper.domain.scaling.floors import deciding_floor
from swarmkeeper.domain.scaling.packing import in_packing_order, shape
from swarmkeeper.domain.scaling.victims import is_outdated

ROUNDS = 4
"""How often what was bought is looked at again; what little is missing then, the next decision buys."""
Refused = Mapping[PoolName, tuple[tuple[ContainerName, Rejection], ...]]


@dataclass(frozen=True, slots=True)
class Need:
    """What one pool shall buy (its `shop` in the `market` says how much of it may be had) and take back.

    `unplaceable`: requests that neither a present node nor a new one of any pool can hold, with this pool's reason.
    """

    shop: Shop
    market: Market
    reclaimed: tuple[NodeId, ...]
    unplaceable: tuple[tuple[ContainerName, Rejection], ...]

    @property
    def grows(self) -> bool:
        return self.shop.wanted > 0 or bool(self.reclaimed)


def needs_of(fleet: FleetSeen) -> Mapping[PoolName, Need]:
    """Size the demand: on what is there and on its way first, then on draining nodes taken back, then on new ones.

    The packing goes through the filters and the strategy that will place, largest first, so that what it promises
    is what placement finds. Raises InvalidExpression.
    """
    return _Sizing(fleet).needs()


class _Sizing:
    def __init__(self, fleet: FleetSeen) -> None:
        self._fleet = fleet
        workers = fleet.workers
        spares = {name: fleet.policies[name].spares(pool.seen.pool, pool.seen.state) for name, pool in workers.items()}
        self._room = fleet.room_to_come(spares)
        shops = {
            name: shop_of(pool, fleet.policies[name], fleet.now, idle=name in fleet.idle)
            for name, pool in workers.items()
        }
        self._shops = shops
        self._market = Market(shops.values(), self._room)
        self._reclaimable = {
            name: [] if name in fleet.idle else _reclaimable(pool.draining) for name, pool in workers.items()
        }
        self._reclaimed: list[Node] = []
        self._moved: dict[str, NodeId] = {}

    def needs(self) -> Mapping[PoolName, Need]:
        fleet, empty = self._fleet, self._room.mark()
        wanted = in_packing_order([*fleet.pending, *fleet.moving()], fleet.scale)
        self._moved, left = self._room.place(wanted)
        left = self._take_back_for(left)
        refused = self._buy(left)
        self._buy_until_all_fits(wanted, empty)
        taken = {name: tuple(n.id for n in self._reclaimed if n.pool == name) for name in self._shops}
        return {name: Need(shop, self._market, taken[name], refused[name]) for name, shop in self._shops.items()}

    def _buy_until_all_fits(self, wanted: Sequence[Request], empty: int) -> None:
        """Put everything down once more, with what was bought there from the start, as the next decision will see it.

        A strategy that spreads may then leave something over, or fill another pool more.
        """
        before = 0
        for _ in range(ROUNDS):
            gained = sum(shop.bought for shop in self._shops.values()) + len(self._reclaimed)
            if gained == before:
                return
            before = gained
            self._room.undo(empty)
            for node in self._reclaimed:
                self._room.open(node.id)
            self._market.restock()
            staying = {request.name for node in self._reclaimed for request in self._fleet.displaced[node.id]}
            self._moved, left = self._room.place([request for request in wanted if request.name not in staying])
            self._buy(left)

    # Taking back.
    def _take_back_for(self, left: list[Request]) -> list[Request]:
        """Take draining nodes back as long as that leaves fewer requests without room; returns those."""
        for node in sorted((n for nodes in self._reclaimable.values() for n in nodes), key=_least_drained):
            if not left:
                break
            mark, moved = self._room.mark(), dict(self._moved)
            fewer = self._with_back(node, left)
            if len(fewer) < len(left):
                left = fewer
                self._keep(node)
            else:
                self._room.undo(mark)
                self._moved = moved
        return left

    def _with_back(self, node: Node, left: Sequence[Request]) -> list[Request]:
        """What has no room once the node is back, with all that stood on it."""
        own = {request.name for request in self._fleet.displaced[node.id]}
        for request in self._fleet.displaced[node.id]:
            if request.name in self._moved:
                self._room.take_off(request, self._moved.pop(request.name))
        self._room.open(node.id)
        taken, fewer = self._room.place([request for request in left if request.name not in own])
        self._moved |= taken
        return fewer

    def _keep(self, node: Node) -> None:
        self._reclaimed.append(node)
        self._reclaimable[node.pool].remove(node)

    # Buying.
    def _buy(self, left: Sequence[Request]) -> Refused:
        """Buy for what is left, and what keeps the pools ready for more."""
        refused = self._buy_for(left)
        for name, shop in self._shops.items():
            if name not in self._fleet.idle:
                self._keep_ready(shop)
        return refused

    def _buy_for(self, left: Sequence[Request]) -> Refused:
        """Buy for what is left, that with the fewest pools to choose from first; who refuses what no pool can hold."""
        by_pools: dict[tuple[PoolName, ...], list[Request]] = {}
        refused: dict[PoolName, list[tuple[ContainerName, Rejection]]] = {name: [] for name in self._shops}
        answers: dict[object, dict[PoolName, Rejection | None]] = {}
        for request in left:
            if shape(request) not in answers:
                answers[shape(request)] = self._refusals(request)
            answer = answers[shape(request)]
            able = tuple(name for name, rejection in answer.items() if rejection is None)
            by_pools.setdefault(able, []).append(request)
            if not able:
                for name, rejection in answer.items():
                    if rejection is not None:
                        refused[name].append((request.name, rejection))
        for able in sorted(filter(None, by_pools), key=lambda pools: (len(pools), pools)):
            open_ = [name for name in able if name not in self._fleet.idle]
            if open_:
                self._market.hold(by_pools[able], open_)
        return {name: tuple(each) for name, each in refused.items()}

    def _refusals(self, request: Request) -> dict[PoolName, Rejection | None]:
        return {name: refusal(request, shop.pool, self._fleet.options) for name, shop in self._shops.items()}

    # Keeping room, a share, a size.
    def _keep_ready(self, shop: Shop) -> None:
        """Take back, then buy, what the headroom, a floor and the high share ask for."""
        missing = self._missing(shop)
        for node in list(self._reclaimable[shop.pool.name]):
            if not sum(missing.values()):
                return
            if is_outdated(node, shop.policy, self._fleet.now):  # it would be replaced at once
                continue
            mark = self._room.mark()
            self._with_back(node, ())
            fewer = self._missing(shop)
            if sum(fewer.values()) < sum(missing.values()):
                missing = fewer
                self._keep(node)
            else:
                self._room.undo(mark)
        for cause, nodes in missing.items():
            self._market.buy(shop, nodes, cause)

    def _missing(self, shop: Shop) -> dict[str, int]:
        """How many nodes more each cause asks for, on top of those before it."""
        seen, policy = shop.nodes.seen, shop.policy
        book: Book = self._room.book(shop.pool.name)
        floor = deciding_floor(seen.floors)
        for_floor = 0 if floor is None else max(0, floor.nodes - book.nodes - (shop.wanted - shop.bought))
        for_spares = max(0, book.nodes_for_spares(new_node(shop.pool, 0)) - for_floor)
        more = for_floor + for_spares
        for_share = book.nodes_to_get_below(policy.reserved_high, shop.pool, more) if policy.has_high else 0
        return {"floor": for_floor, "headroom": for_spares, "share": for_share}


def _reclaimable(draining: Sequence[Node]) -> list[Node]:
    """Draining nodes with containers that leave for their number only, least drained first.

    An empty one may have been ended this moment, and a container placed on it would be lost with it.
    """
    return sorted((node for node in draining if node.containers and is_for_size(node)), key=_least_drained)


def _least_drained(node: Node) -> tuple[int, float, str]:
    return -node.containers, -node.state_since, node.id
