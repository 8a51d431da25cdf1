"""Decides which node a container goes to, and can say why not the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from swarmkeeper.domain.model import Node, NodeId, Request
from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.ranking import Ranker, crowds
from swarmkeeper.domain.placement.reasons import Reason, Rejection
from swarmkeeper.domain.placement.strategies import Rank, first_of
from swarmkeeper.domain.placement.wish import Wish, wish_of

KINDS_TOLD = 8
"""Of a request with many expressions each may have refused some nodes."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A node that may hold the request, with its weight under the strategy."""

    facts: NodeFacts
    weight: int

    @property
    def node(self) -> Node:
        return self.facts.node


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
        """One line for people, such as `3 of 5 nodes: memory; 2: constraint storage==ssd`."""
        if not self.candidates:
            return self.refusals() or "the fleet has no nodes"
        best = self.candidates[0]
        chosen = f"{best.node.id} (weight {best.weight}, {self.strategy}, best of {len(self.candidates)})"
        dropped = ("soft expressions dropped",) if self.pass_ > 1 else ()
        return "; ".join((chosen, *dropped, *filter(None, (self.refusals(),))))

    def refusals(self) -> str:
        """The most frequent reasons for which nodes were refused, counted; "" when none was."""
        total = len(self.candidates) + len(self.refused)
        kinds = Counter(rejection.kind for _, rejection in self.refused).most_common()
        counts = [f"{count}: {kind}" for kind, count in kinds[:KINDS_TOLD]]
        if counts:
            kind, count = kinds[0]
            counts[0] = f"{count} of {total} nodes: {kind}"
        if others := sum(count for _, count in kinds[KINDS_TOLD:]):
            counts.append(f"{others}: others")
        return "; ".join(counts)


def decide(
    request: Request,
    nodes: Sequence[NodeFacts],
    options: PlacementOptions,
    *,
    seed: int | None = None,
    avoid: frozenset[NodeId] = frozenset(),
) -> Decision:
    """Decide where the request goes: soft expressions count as hard first, and are all dropped if none fits.

    Ties fall to the lowest name, or as `seed` decides. Nodes in `avoid` are refused. Raises InvalidExpression
    for an expression that can't be understood, even a soft one, and UnknownStrategy.

    Looks at every node and all that stands on it: the plain meaning, for explanations, small fleets and files,
    and what `ClusterIndex` is checked against.
    """
    return decide_wish(wish_of(request, options, avoid), nodes, options, seed=seed)


def decide_wish(
    wish: Wish, nodes: Sequence[NodeFacts], options: PlacementOptions, *, seed: int | None = None
) -> Decision:
    """As `decide`, for a request that is parsed. Raises UnknownStrategy."""
    ranker = Ranker(options)
    first = _one_pass(wish, nodes, ranker, seed, 1)
    if first.candidates:
        return first
    return _one_pass(wish.hard_only(), nodes, ranker, seed, 2)


def _one_pass(wish: Wish, nodes: Sequence[NodeFacts], ranker: Ranker, seed: int | None, pass_: int) -> Decision:
    crowd = crowds(nodes, ranker.options)
    ranked: list[tuple[int, Rank, Scored]] = []
    refused: list[tuple[NodeId, Rejection]] = []
    for node in nodes:
        standing = ranker.standing(node, wish)
        if isinstance(standing, Rejection):
            refused.append((node.id, standing))
        else:
            ranked.append((crowd[standing.group], standing.rank, Scored(node, standing.weight)))
    ranked.sort(key=lambda each: each[:2])
    return Decision(
        candidates=tuple(_turned(ranked, seed)),
        pass_=pass_,
        rejections=_counted(refused),
        refused=tuple(refused),
        strategy=ranker.strategy.name,
        seed=seed,
    )


def _turned(ranked: Sequence[tuple[int, Rank, Scored]], seed: int | None) -> Iterator[Scored]:
    """The nodes in their order, each run of equals beginning where the seed says."""
    for _, run in groupby(ranked, key=lambda each: (each[0], each[1][:-1])):
        equals = [scored for _, _, scored in run]
        first = first_of(len(equals), seed)
        yield from (*equals[first:], *equals[:first])


def _counted(refused: Sequence[tuple[NodeId, Rejection]]) -> tuple[tuple[Reason, int], ...]:
    """How many nodes each reason refused, most first, equal counts in the filters' order."""
    counts = Counter(rejection.reason for _, rejection in refused)
    return tuple(sorted(((reason, counts[reason]) for reason in Reason if counts[reason]), key=lambda pair: -pair[1]))
