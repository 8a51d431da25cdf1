"""The order of the nodes that may hold a request: balance first, then the strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from swarmkeeper.domain.placement.facts import NodeFacts
from swarmkeeper.domain.placement.filters import NodeView, filters_of, first_rejection
from swarmkeeper.domain.placement.images import is_held
from swarmkeeper.domain.placement.options import PlacementOptions
from swarmkeeper.domain.placement.reasons import Reason, Rejection
from swarmkeeper.domain.placement.strategies import Rank, strategy_named
from swarmkeeper.domain.placement.wish import Wish

NO_ROOM = Rejection(Reason.RESOURCES, "its score is above 100: it has no room")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a node that may hold the wish stands: its weight under the strategy, and its rank within its group."""

    group: str
    weight: int
    rank: Rank


class Ranker:
    """Filters and ranks single nodes under some options. Raises UnknownStrategy when it is made."""

    def __init__(self, options: PlacementOptions) -> None:
        self.options = options
        self.strategy = strategy_named(options.strategy)
        self._filters = filters_of(options)

    def standing(self, node: NodeFacts, wish: Wish) -> Standing | Rejection:
        """Where the node stands for this wish, or why it can't hold it."""
        rejection = first_rejection(node, wish, self._filters)
        if rejection is not None:
            return rejection
        weight = self.strategy.weight(node, wish.reservation)
        if weight is None:
            return NO_ROOM
        rank = self.strategy.rank(node, weight, self._pull(node, wish))
        return Standing(group_of(node, self.options), weight, rank)

    def _pull(self, node: NodeFacts, wish: Wish) -> int:
        return int(self.options.prefer_local_images and not is_held(wish.image, node.images))


def group_of(node: NodeView, options: PlacementOptions) -> str:
    """The node's value of the label that is balanced over; "" where the label is missing, or nothing is balanced."""
    return node.labels.get(options.balance_over, "") if options.balance_over else ""


def crowds(nodes: Iterable[NodeView], options: PlacementOptions) -> Mapping[str, int]:
    """How many containers the nodes of each group hold together; all nodes count, whatever their state.

    The group with the fewest comes first. Without a label to balance over there is one group.
    """
    counts: Counter[str] = Counter()
    for node in nodes:
        counts[group_of(node, options)] += node.containers
    return counts
