"""Strategies: which of the nodes that may hold a request is best.

Classic Swarm's integers, truncated as there: score = (reserved + requested) * 100 // capacity, 100 where nothing
is requested; weight = CPU score + memory score + factor * health.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.filters import NodeView

FULL = 100

Rank = tuple[int, float, int, str]
"""Orders nodes, best lowest: weight and containers, or age, by the strategy, then whether the image would have to be
pulled (where that is asked for), then the name. Nodes that differ in their names alone are equals, which a seed may
turn."""


class UnknownStrategy(ValueError):
    """No strategy has this name."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to rank nodes; `sign` is 1 where the lowest (weight, containers) is best, -1 for the highest.

    `weighs` says whether weights differ at all, `by_age` whether the node's age counts instead of its containers.
    """

    name: str
    health_factor: int
    sign: int
    weighs: bool = True
    by_age: bool = False

    def weight(self, node: NodeView, reservation: Resources) -> int | None:
        """The node's weight with the request on it; None where classic Swarm finds no room."""
        cpus = score(node.reserved.nano_cpus, reservation.nano_cpus, node.capacity.nano_cpus)
        memory = score(node.reserved.memory_bytes, reservation.memory_bytes, node.capacity.memory_bytes)
        if cpus is None or memory is None:
            return None
        return cpus + memory + self.health_factor * node.health

    def rank(self, node: NodeView, weight: int, pull: int = 0) -> Rank:
        """Where a node of this weight stands among others; `pull` is 1 where lack of the image counts against it."""
        second = node.created_at if self.by_age else self.sign * node.containers
        return (self.sign * weight, second, pull, node.name)


class RandomStrategy(Strategy):
    """Any node that passed the filters; room for CPU and memory is theirs to see to, as in classic Swarm."""

    def weight(self, node: NodeView, reservation: Resources) -> int | None:
        """Always 0: all nodes are equals, and the seed decides."""
        return 0


class UnweighedStrategy(Strategy):
    """Only the number of containers, or the age, tells nodes apart; a node must have room as when it is weighed.

    The node with the most containers is the least likely to be empty soon. Filling it first leaves others that do
    become empty, whatever the sizes; fullness says less, since one large container fills a node too. The oldest node
    first is first fit in the order in which nodes were bought, which leaves the youngest to become empty.
    """

    def weight(self, node: NodeView, reservation: Resources) -> int | None:
        """Always 0 where there is room: the number of containers, or the age, decides, then the seed."""
        weight = Strategy.weight(self, node, reservation)
        return None if weight is None else 0


def score(used: int, requested: int, total: int) -> int | None:
    """How full in percent, 0 to 100, one resource would be; None where it would not fit.

    Truncated, so that a node may seem to have room for what exceeds it by less than 1 %; admission in a live
    fleet is the filters' matter.
    """
    if requested == 0:
        return FULL
    if total < requested:
        return None
    percent = (used + requested) * FULL // total
    return percent if percent <= FULL else None


def first_of(equals: int, seed: int | None) -> int:
    """Which of so many equal nodes, in the order of their names, comes first; the others follow in a ring.

    The lowest name without a seed; over many seeds each equally often.
    """
    if seed is None:
        return 0
    return int.from_bytes(blake2b(str(seed).encode(), digest_size=8).digest()) % equals


SPREAD = Strategy("spread", health_factor=-10, sign=1)
BINPACK = Strategy("binpack", health_factor=10, sign=-1)
RANDOM = RandomStrategy("random", health_factor=0, sign=0, weighs=False)
BUSIEST = UnweighedStrategy("busiest", health_factor=0, sign=-1, weighs=False)
OLDEST = UnweighedStrategy("oldest", health_factor=0, sign=1, weighs=False, by_age=True)
STRATEGIES = (SPREAD, BINPACK, RANDOM, BUSIEST, OLDEST)


def strategy_named(name: str) -> Strategy:
    """The strategy of this name. Raises UnknownStrategy."""
    for strategy in STRATEGIES:
        if strategy.name == name:
            return strategy
    raise UnknownStrategy(f"{name!r} is none of {', '.join(each.name for each in STRATEGIES)}")
