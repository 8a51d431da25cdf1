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

Rank = tuple[int, int, int, str]
"""Orders nodes, best lowest: weight and containers by the strategy, then the seeded tie, then the name."""


class UnknownStrategy(ValueError):
    """No strategy has this name."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to rank nodes; `sign` is 1 where the lowest (weight, containers) is best, -1 for the highest."""

    name: str
    health_factor: int
    sign: int

    def weight(self, node: NodeView, reservation: Resources) -> int | None:
        """The node's weight with the request on it; None where classic Swarm finds no room."""
        cpus = score(node.reserved.nano_cpus, reservation.nano_cpus, node.capacity.nano_cpus)
        memory = score(node.reserved.memory_bytes, reservation.memory_bytes, node.capacity.memory_bytes)
        if cpus is None or memory is None:
            return None
        return cpus + memory + self.health_factor * node.health

    def rank(self, node: NodeView, weight: int, seed: int | None) -> Rank:
        """Where a node of this weight stands among others."""
        return (self.sign * weight, self.sign * node.containers, tie(node.name, seed), node.name)


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


def tie(name: str, seed: int | None) -> int:
    """0 without a seed, so that the lowest name wins; else a number that seed and name alone decide."""
    if seed is None:
        return 0
    return int.from_bytes(blake2b(f"{seed}:{name}".encode(), digest_size=8).digest())


SPREAD = Strategy("spread", health_factor=-10, sign=1)
BINPACK = Strategy("binpack", health_factor=10, sign=-1)
STRATEGIES = (SPREAD, BINPACK)


def strategy_named(name: str) -> Strategy:
    """The strategy of this name. Raises UnknownStrategy."""
    for strategy in STRATEGIES:
        if strategy.name == name:
            return strategy
    raise UnknownStrategy(f"{name!r} is none of {', '.join(each.name for each in STRATEGIES)}")
