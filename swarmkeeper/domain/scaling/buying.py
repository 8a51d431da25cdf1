"""Buys nodes in thought: demand goes to the cheapest pool that can hold it, and on to the next where that may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from swarmkeeper.domain.model import Pool, PoolName, Request
from swarmkeeper.domain.scaling.demand import new_node
from swarmkeeper.domain.scaling.estimates import Estimate, estimate, sizes_of
from swarmkeeper.domain.scaling.fleet import largest
from swarmkeeper.domain.scaling.guards import Cap, Guard, caps_on_growth
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.room import Room
from swarmkeeper.domain.scaling.snapshot import PoolNodes

ROUNDING = 1e-9
"""What a sum of prices may miss a limit by without exceeding it."""


@dataclass(slots=True)
class Shop:
    """What may be bought of a pool, and what has been, by cause.

    `sold` are the nodes that the guards let through, `refused` those that they did not; a cooldown isn't among those
    guards, since what has to wait that long only is not bought dearer elsewhere.
    """

    nodes: PoolNodes
    policy: Policy
    caps: tuple[Cap, ...]
    over_budget: bool = False
    sold: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def bought(self) -> int:
        return self.sold.total()

    @property
    def wanted(self) -> int:
        """What would be bought without any guard."""
        return self.bought + self.refused.total()

    @property
    def causes(self) -> Mapping[str, int]:
        return self.sold + self.refused

    @property
    def pool(self) -> Pool:
        return self.nodes.seen.pool

    @property
    def most(self) -> int:
        """How many more the guards let it buy, price aside."""
        return max(0, min(cap.nodes for cap in self.caps) - self.nodes.base - self.bought)

    def with_budget(self) -> tuple[Cap, ...]:
        """The caps, and that of the price where it has been met."""
        if not self.over_budget:
            return self.caps
        limits = self.policy.limits
        reached = self.nodes.base + self.bought
        again_at = self.nodes.now + limits.recheck_s
        return (*self.caps, Cap(Guard.BUDGET, max(reached, self.nodes.seen.group.held), again_at))


@dataclass(frozen=True, slots=True)
class Offer:
    """So many nodes of a pool; `rank` orders offers, the best lowest: price, size, name."""

    shop: Shop
    nodes: int
    rank: tuple[float, float, str]


class Market:
    """The shops of all pools, which share the fleet's budget; what is bought stands in the room at once."""

    def __init__(self, shops: Iterable[Shop], room: Room) -> None:
        self._shops = {shop.pool.name: shop for shop in shops}
        self._room = room
        self.price_per_hour = sum(shop.nodes.base * shop.pool.price_per_hour for shop in self._shops.values())
        """Of all pools with what is bought."""
        self._largest = largest(shop.pool for shop in self._shops.values())

    def __getitem__(self, pool: PoolName) -> Shop:
        return self._shops[pool]

    def buy(self, shop: Shop, nodes: int, cause: str) -> int:
        """Want so many nodes; returns how many the guards let through, which are in the room then."""
        granted = min(nodes, self.left(shop))
        if granted < nodes and granted < min(nodes, shop.most):
            shop.over_budget = True
        self._put(shop, range(shop.bought, shop.bought + granted))
        shop.sold[cause] += granted
        shop.refused[cause] += nodes - granted
        self.price_per_hour += granted * shop.pool.price_per_hour
        return granted

    def left(self, shop: Shop) -> int:
        """How many more nodes may be bought there."""
        budget, price = shop.policy.limits.budget_per_hour, shop.pool.price_per_hour
        if budget is None or price <= 0:
            return shop.most
        return min(shop.most, max(0, int((budget - self.price_per_hour) / price + ROUNDING)))

    def hold(self, requests: Sequence[Request], able: Sequence[PoolName]) -> list[Request]:
        """Buy what holds the requests, in packing order, in the pools that are able to; returns those left over.

        All but the last node are bought where all of them are cheapest; what the last one would hold is looked at
        again, since a smaller node may do. Equal prices fall to the first name.
        """
        _, left = self._room.place(requests)
        while left:
            offers = self._offers(left, able)
            wanted = min(offers, key=lambda name: offers[name].rank)
            if not self.left(self._shops[wanted]):
                self._turn_away(wanted, offers[wanted].nodes)
            open_ = [name for name in able if self.left(self._shops[name])]
            if not open_:
                return left
            offer = min((offers[name] for name in open_), key=lambda each: each.rank)
            self._buy_most(offer, is_only=len(able) == 1)
            before = len(left)
            _, left = self._room.place(left)
            if len(left) == before:  # a rule that sizes know nothing of: more of the same would not help
                return left
        return left

    def _offers(self, requests: Sequence[Request], able: Sequence[PoolName]) -> Mapping[PoolName, Offer]:
        """Each pool's nodes for all of the requests, at the price that they come to with the best last node."""
        sizes = sizes_of(requests)
        estimates = {name: estimate(sizes, self._shops[name].pool) for name in able}
        return {name: self._offer(name, of, able) for name, of in estimates.items()}

    def _offer(self, name: PoolName, of: Estimate, able: Sequence[PoolName]) -> Offer:
        price, size = self._cost(name)
        if of.nodes == 1:
            return Offer(self._shops[name], 1, (price, size, name))
        ends = [(estimate(of.last, self._shops[each].pool).nodes, self._cost(each)) for each in able]
        last_price, last_size = min((nodes * cost[0], nodes * cost[1]) for nodes, cost in ends)
        rank = ((of.nodes - 1) * price + last_price, (of.nodes - 1) * size + last_size, name)
        return Offer(self._shops[name], of.nodes, rank)

    def _buy_most(self, offer: Offer, *, is_only: bool) -> None:
        """All that is offered, or all but the last node, where another pool's may be cheaper."""
        all_but_last = not is_only and 1 < offer.nodes <= self.left(offer.shop)
        self.buy(offer.shop, offer.nodes - all_but_last, "demand")

    def _turn_away(self, pool: PoolName, nodes: int) -> None:
        """Note once what a pool would sell if its guards let it."""
        shop = self._shops[pool]
        if not shop.refused["demand"]:
            self.buy(shop, nodes, "demand")

    def _cost(self, name: PoolName) -> tuple[float, float]:
        """What a node of the pool costs; and its size, which decides where nothing has a price."""
        pool, whole = self._shops[name].pool, self._largest
        cpus = pool.node_capacity.nano_cpus / max(whole.nano_cpus, 1)
        memory = pool.node_capacity.memory_bytes / max(whole.memory_bytes, 1)
        return pool.price_per_hour, max(cpus, memory)

    def restock(self) -> None:
        """Put all that was bought into the room again; refusals, but of demand, will be counted anew."""
        for shop in self._shops.values():
            shop.refused = Counter({"demand": shop.refused["demand"]})
            self._put(shop, range(shop.bought))

    def _put(self, shop: Shop, numbers: Iterable[int]) -> None:
        """New nodes into the room, numbered on from those that the group owes already."""
        for number in numbers:
            self._room.add(new_node(shop.pool, len(shop.nodes.promised) + number, now=shop.nodes.now))


def shop_of(nodes: PoolNodes, policy: Policy, now: float, *, idle: bool) -> Shop:
    """The pool's shop; an idle one, which decides without acting, sells nothing."""
    seen = nodes.seen
    caps = caps_on_growth(seen.group, seen.state, policy.limits, now, nodes.ceiling)
    if idle:
        caps = (*caps, Cap(Guard.SUSPENDED, seen.group.held, None))
    return Shop(nodes, policy, caps)
