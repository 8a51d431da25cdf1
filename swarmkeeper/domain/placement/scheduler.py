"""Decides which node a container goes to, and can say why not the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from swarmkeeper.domain.model import Node, NodeId, Request
from swarmkeeper.domain.placement.filters import Wish, first_rejection, wish_of
from swarmkeeper.domain.placement.reasons import Reason, Rejection
from swarmkeeper.domain.placement.strategies import Rank, Strategy, strategy_named


@dataclass(frozen=True, slots=True)
class Scored:
    """A node that may hold the request, with its weight under the strategy."""

    node: Node
    weight: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided; a decision without candidates is a result too.

    `candidates` are best first. `pass_` is 2 when soft expressions had to be dropped, or nothing fits even so.
    `rejections` counts `refused`, the first rejection of every other node in the deciding pass, most first.
    """

    candidates: tuple[Scored, ...]
    pass_: int
    rejections: tuple[tuple[Reason, int], ...]
    refused: tuple[tuple[NodeId, Rejection], ...]
    strategy: str
    seed: int | None = None

    @property
    def chosen(self) -> Node | None:
        """The node to reserve on; None when no node can hold the request."""
        return self.candidates[0].node if self.candidates else None

    @property
    def blocked_by(self) -> Reason | None:
        """The filter that left no node, when none fits: the last in order among those that refused."""
        if self.candidates:
            return None
        return max((reason for reason, _ in self.rejections), key=list(Reason).index, default=None)

    def explain(self) -> str:
        """One line for people, such as `3 of 5 nodes: resources; 2: constraint`."""
        if not self.candidates:
            return self._refusals() or "the fleet has no nodes"
        best = self.candidates[0]
        chosen = f"{best.node.id} (weight {best.weight}, {self.strategy}, best of {len(self.candidates)})"
        dropped = ("soft expressions dropped",) if self.pass_ > 1 else ()
        return "; ".join((chosen, *dropped, *filter(None, (self._refusals(),))))

    def _refusals(self) -> str:
        total = len(self.candidates) + len(self.refused)
        counts = [f"{count}: {reason}" for reason, count in self.rejections]
        if counts:
            reason, count = self.rejections[0]
            counts[0] = f"{count} of {total} nodes: {reason}"
        return "; ".join(counts)


def decide(
    request: Request,
    nodes: Sequence[Node],
    *,
    strategy: str,
    seed: int | None = None,
    avoid: frozenset[NodeId] = frozenset(),
) -> Decision:
    """Decide where the request goes: soft expressions count as hard first, and are all dropped if none fits.

    Ties fall to the lowest name, or as `seed` decides. Nodes in `avoid` are refused. Raises InvalidExpression
    for an expression that can't be understood, even a soft one, and UnknownStrategy.
    """
    chosen_strategy = strategy_named(strategy)
    wish = wish_of(request, avoid)
    first = _one_pass(wish, nodes, chosen_strategy, seed, 1)
    if first.candidates:
        return first
    return _one_pass(wish.hard_only(), nodes, chosen_strategy, seed, 2)


def _one_pass(wish: Wish, nodes: Sequence[Node], strategy: Strategy, seed: int | None, pass_: int) -> Decision:
    ranked: list[tuple[Rank, Scored]] = []
    refused: list[tuple[NodeId, Rejection]] = []
    for node in nodes:
        rejection = first_rejection(node, wish)
        weight = None if rejection else strategy.weight(node, wish.reservation)
        if weight is None:
            refused.append((node.id, rejection or Rejection(Reason.RESOURCES, "has no room")))
        else:
            ranked.append((strategy.rank(node, weight, seed), Scored(node, weight)))
    ranked.sort(key=lambda pair: pair[0])
    return Decision(
        candidates=tuple(scored for _, scored in ranked),
        pass_=pass_,
        rejections=_counted(refused),
        refused=tuple(refused),
        strategy=strategy.name,
        seed=seed,
    )


def _counted(refused: Sequence[tuple[NodeId, Rejection]]) -> tuple[tuple[Reason, int], ...]:
    """How many nodes each reason refused, most first, equal counts in the filters' order."""
    counts = Counter(rejection.reason for _, rejection in refused)
    return tuple(sorted(((reason, counts[reason]) for reason in Reason if counts[reason]), key=lambda pair: -pair[1]))
