"""What the index decided."""

from __future__ import annotations

from itertools import pairwise

from swarmkeeper.domain.model import NodeId
from swarmkeeper.domain.placement.reasons import Reason

REASONS = tuple(Reason)

Passed = tuple[int, ...]
"""Masks of the nodes that were left: at first, then after the filter of each reason in its order."""


class Choice:
    """The node that a request goes to, or None when no node can hold it.

    `pass_` is 2 when soft expressions had to be dropped, or nothing fits even so. `weight` is the node's under the
    strategy. Whom the filters refused is kept as masks and counted when it is asked for.
    """

    __slots__ = ("_passed", "node_id", "pass_", "weight")

    def __init__(self, node_id: NodeId | None, pass_: int, weight: int, passed: Passed) -> None:
        self.node_id = node_id
        self.pass_ = pass_
        self.weight = weight
        self._passed = passed

    @property
    def eligible(self) -> int:
        """How many nodes could hold the request."""
        return self._passed[-1].bit_count()

    @property
    def rejections(self) -> tuple[tuple[Reason, int], ...]:
        """How many nodes each filter refused in the deciding pass, most first, then in the filters' order."""
        left = pairwise(mask.bit_count() for mask in self._passed)
        counts = [(reason, before - after) for reason, (before, after) in zip(REASONS, left, strict=True)]
        return tuple(sorted((each for each in counts if each[1]), key=lambda each: -each[1]))

    @property
    def blocked_by(self) -> Reason | None:
        """The filter that left no node, when none fits: the last in order among those that refused."""
        if self.node_id is not None:
            return None
        return max((reason for reason, _ in self.rejections), key=REASONS.index, default=None)

    def __repr__(self) -> str:
        return f"Choice({self.node_id!r}, pass_={self.pass_}, weight={self.weight}, rejections={self.rejections!r})"
