"""Decides on masks: what every filter leaves, then the best of what is left."""

from __future__ import annotations

from itertools import chain, islice

from swarmkeeper.domain.model import Resources
from swarmkeeper.domain.placement.index.choice import Choice, Passed
from swarmkeeper.domain.placement.index.contents import Contents
from swarmkeeper.domain.placement.index.entries import NodeEntry
from swarmkeeper.domain.placement.index.masks import lowest, nth, positions
from swarmkeeper.domain.placement.index.roster import Roster
from swarmkeeper.domain.placement.index.weights import weight_of
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.strategies import first_of, strategy_named
from swarmkeeper.domain.placement.wish import Wish

BOTH_PASSES = 2
FEW = 8
"""So many nodes are sooner looked at than found in an order that has to catch up first."""


class Chooser:
    """Chooses among the nodes of a roster and what stands on them; changes neither."""

    __slots__ = ("_contents", "_prefers_images", "_roster", "_strategy", "sign")

    def __init__(self, options: PlacementOptions, roster: Roster, contents: Contents) -> None:
        self._strategy = strategy_named(options.strategy)
        self._prefers_images = options.prefer_local_images
        self._roster = roster
        self._contents = contents
        self.sign = self._strategy.sign

    def choose(self, wish: Wish, seed: int | None) -> Choice:
        """The best node in the first pass that leaves one."""
        self._roster.settle()
        passed, pass_ = self.passed(wish), 1
        if not passed[-1]:
            hard = wish.hard_only()
            passed, pass_ = passed if hard is wish else self.passed(hard), BOTH_PASSES
        if not passed[-1]:
            return Choice(None, BOTH_PASSES, 0, passed)
        entry, weight = self._best(passed[-1], wish, seed)
        return Choice(entry.node_id, pass_, weight, passed)

    def ranked(self, wish: Wish, seed: int | None, most: int) -> list[tuple[NodeEntry, int]]:
        """The best nodes in the first pass that leaves some, at most so many, in their order and with their weights."""
        self._roster.settle()
        left = self.passed(wish)[-1] or self.passed(wish.hard_only())[-1]
        found: list[tuple[NodeEntry, int]] = []
        while left and len(found) < most:
            tied, weight = self._tied(left, wish)
            left &= ~tied
            equals = list(positions(tied))
            first = first_of(len(equals), seed)
            turned = chain(equals[first:], equals[:first])
            found += [(self._roster.entry(at), weight) for at in islice(turned, most - len(found))]
        return found

    def passed(self, wish: Wish) -> Passed:
        """What each filter leaves of what the one before left; see `Reason` for their order."""
        nodes, totals, contents = self._roster.nodes, self._roster.totals, self._contents
        state = nodes.ready
        avoided = state & ~nodes.of(wish.avoid) if wish.avoid else state
        healthy = avoided & nodes.healthy
        port = healthy & ~contents.bindings.clashing(wish) if wish.ports or wish.exposed else healthy
        slot = port & totals.with_slot
        dependency = slot
        for reference in wish.dependencies:
            dependency = contents.resolving(reference, dependency)
        affinity = dependency
        for expression in wish.affinities:
            affinity = contents.suiting(expression, affinity)
        constraint = affinity
        for expression in wish.constraints:
            constraint &= nodes.accepted(expression)
        listed = constraint
        for expression in wish.whitelists:
            listed &= nodes.listed(expression)
        room = totals.rooms.fitting(wish.reservation, listed)
        return (
            nodes.everything,
            nodes.workers,
            state,
            avoided,
            healthy,
            port,
            slot,
            dependency,
            affinity,
            constraint,
            listed,
            room,
        )

    def preferred(self, among: int, wish: Wish) -> int:
        """Those of `among` that come first because they hold the image; all of them where that is not asked for."""
        return among & self._contents.holding_image(wish.image) if self._prefers_images else among

    def weight(self, entry: NodeEntry, wanted: Resources, taken: int = 0) -> int:
        """The node's weight for a reservation after `taken` others alike; it must have room."""
        return weight_of(entry, self._strategy, wanted, taken) if self._strategy.weighs else 0

    def rank(self, entry: NodeEntry, wanted: Resources, taken: int) -> tuple[int, float]:
        """What the strategy makes of a node after `taken` others alike: the weight's part, then what follows it."""
        weight = self.sign * self.weight(entry, wanted, taken)
        return weight, entry.node.created_at if self._strategy.by_age else self.sign * (entry.containers + taken)

    def _best(self, eligible: int, wish: Wish, seed: int | None) -> tuple[NodeEntry, int]:
        """The best of the eligible nodes, which are some, and its weight."""
        tied, weight = self._tied(eligible, wish)
        return self._first(tied, seed), weight

    def _tied(self, eligible: int, wish: Wish) -> tuple[int, int]:
        """Those of the eligible nodes, which are some, that only their ties can tell apart, and their weight."""
        totals, wanted = self._roster.totals, wish.reservation
        if not eligible & (eligible - 1):
            return eligible, self.weight(self._roster.entry(lowest(eligible)), wanted)
        tied = eligible if totals.groups is None else totals.groups.emptiest(eligible)
        weight = 0
        if self._strategy.weighs:
            tied, weight = totals.by_weight(wanted).best(tied, wanted.nano_cpus, wanted.memory_bytes)
        if self._strategy.by_age:
            tied = self._roster.nodes.ages.oldest(tied)
        elif self.sign and tied & (tied - 1):
            tied = self._by_containers(tied)
        if self._prefers_images:
            tied = self.preferred(tied, wish) or tied
        return tied, weight

    def _by_containers(self, tied: int) -> int:
        """Those of several nodes of equal weight that come first by their number of containers."""
        if tied.bit_count() > FEW:
            order = self._roster.totals.by_containers()
            return order.fewest(tied) if self.sign > 0 else order.most(tied)
        best, found, entries, sign = 0, 0, self._roster.entry, self.sign
        while tied:
            bit = tied & -tied
            tied ^= bit
            containers = sign * entries(bit.bit_length() - 1).containers
            if not found or containers < best:
                best, found = containers, bit
            elif containers == best:
                found |= bit
        return found

    def _first(self, tied: int, seed: int | None) -> NodeEntry:
        """The lowest name of equal nodes, or the one that the seed says."""
        if seed is None or not tied & (tied - 1):
            return self._roster.entry(lowest(tied))
        return self._roster.entry(nth(tied, first_of(tied.bit_count(), seed)))
