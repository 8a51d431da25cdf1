"""Buys nodes in thought: demand goes to the cheapest pool that can hold it, and on to the next where that may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from swarmkeeper.domain.model import Pool, PoolName, Request
from swarmkeeper.domain.scaling.demand import new_node
from swarmkeeper.domain.scaling.estimates import nodes_to_hold
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


class Market:
    """The shops of all pools, which share the fleet's budget; what is bought stands in the room at once."""

    def __init__(self, shops: Iterable[Shop], room: Room) -> None:
        self._shops = {shop.pool.name: shop for shop in shops}
        self._room = room
        self.price_per_hour = sum(shop.nodes.base * shop.pool.price_per_hour for shop in self._shops.values())
        """Of all pools with what is bought."""

    def __getitem__(self, pool: PoolName) -> Shop:
        return self._shops[pool]

    def buy(self, shop: Shop, nodes: int, cause: str) -> int:
        """Want so many nodes; returns how many the guards let through, which are in the room then."""
        granted = min(nodes, self.left(shop))
        if granted < nodes and granted < min(nodes, shop.most):
            shop.over_budget = True
        for number in range(shop.bought, shop.bought + granted):
            self._room.add(new_node(shop.pool, number, now=shop.nodes.now))
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
        again, since a smaller node may do.
        """
        _, left = self._room.place(requests)
        while left:
            offers = {name: nodes_to_hold(left, self._shops[name].pool) for name in able}
            wanted = min(offers, key=lambda name: self._cost(name, offers))
            if not self.left(self._shops[wanted]):
                self._turn_away(wanted, offers[wanted])
            open_ = [name for name in able if self.left(self._shops[name])]
            if not open_:
                return left
            chosen = self._shops[min(open_, key=lambda name: self._cost(name, offers))]
            self._buy_most(chosen, offers[chosen.pool.name], is_only=len(able) == 1)
            before = len(left)
            _, left = self._room.place(left)
            if len(left) == before:  # a rule that sizes know nothing of: more of the same would not help
                return left
        return left

    def _buy_most(self, shop: Shop, nodes: int, *, is_only: bool) -> None:
        if is_only or nodes == 1 or self.left(shop) < nodes:
            self.buy(shop, nodes, "demand")
        else:
            self.buy(shop, nodes - 1, "demand")

    def _turn_away(self, pool: PoolName, nodes: int) -> None:
        """Note once what a pool would sell if its guards let it."""
        shop = self._shops[pool]
        if not shop.refused["demand"]:
            self.buy(shop, nodes, "demand")

    def _cost(self, name: PoolName, offers: Mapping[PoolName, int]) -> tuple[float, float, str]:
        """What an offer is compared by: its price; without prices its size; then the pool's name."""
        pool, nodes = self._shops[name].pool, offers[name]
        whole = [each.pool.node_capacity for each in self._shops.values()]
        cpus, memory = max(each.nano_cpus for each in whole), max(each.memory_bytes for each in whole)
        size = max(pool.node_capacity.nano_cpus / max(cpus, 1), pool.node_capacity.memory_bytes / max(memory, 1))
        return nodes * pool.price_per_hour, nodes * size, name

    def restock(self) -> None:
        """Put all that was bought into the room again, after it was undone there; refusals are forgotten."""
        for shop in self._shops.values():
            shop.refused.clear()
            for number in range(shop.bought):
                self._room.add(new_node(shop.pool, number, now=shop.nodes.now))


def shop_of(nodes: PoolNodes, policy: Policy, now: float, *, idle: bool) -> Shop:
    """The pool's shop; an idle one, which decides without acting, sells nothing."""
    seen = nodes.seen
    caps = caps_on_growth(seen.group, seen.state, policy.limits, now, nodes.ceiling)
    if idle:
        caps = (*caps, Cap(Guard.SUSPENDED, seen.group.held, None))
    return Shop(nodes, policy, caps)
